//! Registration: three streams that agree on who holds an e-mail address and a username.
//!
//! The two names are reserved first, then the account registers itself, then a process manager confirms the
//! names. If the way is cut short, the reservations lapse; the account's stream then says which of the two
//! happened, and only after that is a name given back.

use crate::answer::{Ask, CommandError, Outcome};
use crate::features::AnyRefusal;
use crate::handle::Commands;
use crate::ids::keyed_uuid;
use crate::managers::{Manager, Reacting, Reaction};
use spool_domain::accounts::{self, Account, Registered};
use spool_domain::ids::{AccountId, ReservationId};
use spool_domain::reservations::{self, Reservation};
use spool_platform::keys::Keys;
use spool_schemas::AnyEvent;

/// Confirms the names of a registered account, and gives back those of one that never came to be.
pub const REGISTRATIONS: Manager = Manager {
    name: "registrations",
    events: &["UserRegistered", "NameReservationLapsed"],
    react: |reaction, event| settle(reaction, event),
};

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("this e-mail address is already registered")]
    EmailTaken,
    #[error("this username is already taken")]
    UsernameTaken,
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// The place of an e-mail address. Upper and lower case are one address.
pub fn email_place(keys: &Keys, email: &str) -> ReservationId {
    ReservationId(keyed_uuid(
        keys,
        "reservations/email",
        email.trim().to_lowercase().as_bytes(),
    ))
}

/// The place of a username. Upper and lower case are one name.
pub fn username_place(keys: &Keys, username: &str) -> ReservationId {
    ReservationId(keyed_uuid(
        keys,
        "reservations/username",
        username.trim().to_lowercase().as_bytes(),
    ))
}

impl Commands {
    /// Registers `account`, whose names must be free. Asked again with the same `ask`, it goes on where it was.
    pub async fn register(
        &self,
        account: AccountId,
        registered: Registered,
        ask: &Ask,
    ) -> Result<Outcome, RegisterError> {
        let reserve = |place: ReservationId, what| {
            self.give(
                place.stream(),
                reservations::Command::Reserve { account },
                ask.then(what),
            )
        };
        let (email, username) = (registered.email, registered.username);
        reserve(email, "e-mail")
            .await
            .map_err(|error| taken(error, RegisterError::EmailTaken))?;
        if let Err(error) = reserve(username, "username").await {
            let release = reservations::Command::Release { account };
            self.give(email.stream(), release, ask.then("release e-mail"))
                .await?;
            return Err(taken(error, RegisterError::UsernameTaken));
        }
        Ok(self
            .give(
                account.stream(),
                accounts::Command::Register(registered),
                ask.clone(),
            )
            .await?)
    }

    /// Who holds the e-mail address, if anybody has it for good or is about to.
    pub async fn account_at(&self, place: ReservationId) -> Result<Option<AccountId>, CommandError> {
        let (reservation, _) = self.state::<Reservation>(place.stream()).await?;
        Ok(reservation.holder())
    }
}

fn taken(error: CommandError, taken: RegisterError) -> RegisterError {
    match error {
        CommandError::Refused(AnyRefusal::Reservations(reservations::Refusal::Taken)) => taken,
        error => RegisterError::Command(error),
    }
}

fn settle<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        match event {
            AnyEvent::Accounts(accounts::Event::Registered(registered)) => {
                let account = AccountId(reaction.stream.id);
                for place in [registered.email, registered.username] {
                    reaction
                        .give(place.stream(), reservations::Command::Confirm { account })
                        .await?;
                }
                Ok(())
            }
            AnyEvent::Reservations(reservations::Event::Lapsed(lapsed)) => {
                let account = lapsed.account;
                reaction
                    .give(account.stream(), accounts::Command::VoidRegistration)
                    .await?;
                // The account's own word decides, whether it was given just now or before a crash.
                let (state, _) = reaction.commands.state::<Account>(account.stream()).await?;
                let command = match state {
                    Account::Active(_) => reservations::Command::Confirm { account },
                    Account::Void | Account::Unregistered => reservations::Command::Release { account },
                };
                reaction.give(reaction.stream, command).await
            }
            AnyEvent::Accounts(_)
            | AnyEvent::Reservations(_)
            | AnyEvent::Uploads(_)
            | AnyEvent::Videos(_)
            | AnyEvent::Jobs(_)
            | AnyEvent::Views(_) => Ok(()),
        }
    })
}
