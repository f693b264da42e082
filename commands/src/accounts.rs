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

/// Whose a place is after it was asked for.
#[derive(PartialEq, Eq)]
enum Reserved {
    ForIt,
    ByAnother,
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
        let (email, username) = (registered.email, registered.username);
        if self.reserve(email, account, ask).await? == Reserved::ByAnother {
            return Err(RegisterError::EmailTaken);
        }
        if self.reserve(username, account, ask).await? == Reserved::ByAnother
            && self.give_up(account, email, ask).await?
        {
            return Err(RegisterError::UsernameTaken);
        }
        let register = accounts::Command::Register(registered);
        let given = self.give(account.stream(), register, ask.clone()).await;
        if let Err(CommandError::Refused(AnyRefusal::Accounts(accounts::Refusal::RegistrationVoid))) = &given
        {
            for place in [email, username] {
                self.release(account, place, ask).await?;
            }
        }
        Ok(given?)
    }

    /// Always asked anew: that the place was reserved once does not mean that it is so still.
    async fn reserve(
        &self,
        place: ReservationId,
        account: AccountId,
        ask: &Ask,
    ) -> Result<Reserved, CommandError> {
        let reserve = reservations::Command::Reserve { account };
        match self.give(place.stream(), reserve, ask.anew()).await {
            Ok(_) => Ok(Reserved::ForIt),
            Err(CommandError::Refused(AnyRefusal::Reservations(reservations::Refusal::Taken))) => {
                Ok(Reserved::ByAnother)
            }
            Err(error) => Err(error),
        }
    }

    /// Makes sure that `account` never comes to be, and only then gives its e-mail address back: whoever
    /// asks the same at the same time must not register without it. False when that one was quicker.
    async fn give_up(
        &self,
        account: AccountId,
        email: ReservationId,
        ask: &Ask,
    ) -> Result<bool, CommandError> {
        let void = accounts::Command::VoidRegistration;
        self.give(account.stream(), void, ask.anew()).await?;
        let (state, _) = self.state::<Account>(account.stream()).await?;
        if matches!(state, Account::Active(_)) {
            return Ok(false);
        }
        self.release(account, email, ask).await?;
        Ok(true)
    }

    /// Gives back what a void account holds; what another holds stays as it is.
    async fn release(&self, account: AccountId, place: ReservationId, ask: &Ask) -> Result<(), CommandError> {
        let release = reservations::Command::Release { account };
        self.give(place.stream(), release, ask.anew()).await.map(drop)
    }

    /// Who holds the e-mail address, if anybody has it for good or is about to.
    pub async fn account_at(&self, place: ReservationId) -> Result<Option<AccountId>, CommandError> {
        let (reservation, _) = self.state::<Reservation>(place.stream()).await?;
        Ok(reservation.holder())
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
