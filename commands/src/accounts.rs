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
use spool_domain::sealed::Sealed;
use spool_platform::keys::Keys;
use spool_schemas::AnyEvent;

/// What the personal data of an account are sealed for: JSON with `email`, `username`, `first_name` and `last_name`.
pub const PERSONAL: &[u8] = b"accounts/personal";

/// Confirms the names that an account took, and gives back those that it has no use for or never took.
pub const REGISTRATIONS: Manager = Manager {
    name: "registrations",
    events: &[
        "UserRegistered",
        "ProfileChanged",
        "IdentityLinked",
        "IdentityUnlinked",
        "UserErased",
        "NameReservationLapsed",
    ],
    react: |reaction, event| settle(reaction, event),
};

/// Why nobody was registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    #[error("this e-mail address is already registered")]
    EmailTaken,
    #[error("this username is already taken")]
    UsernameTaken,
    #[error("this identity belongs to another account")]
    IdentityTaken,
    #[error("the secret for the first administrator was used before")]
    NotTheFirst,
    #[error(transparent)]
    Command(#[from] CommandError),
}

/// How a person is to be called: sealed, and where the names belong.
#[derive(Clone, Debug)]
pub struct Named {
    pub personal: Sealed,
    pub email: ReservationId,
    pub username: ReservationId,
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

/// The place of who somebody is at another provider: `issuer` names the provider, `subject` the person there.
pub fn identity_place(keys: &Keys, issuer: &str, subject: &str) -> ReservationId {
    let both = serde_json::to_vec(&(issuer, subject)).expect("two texts become JSON");
    ReservationId(keyed_uuid(keys, "reservations/identity", &both))
}

/// The place of the secret for the first administrator.
pub fn bootstrap_place(keys: &Keys) -> ReservationId {
    ReservationId(keyed_uuid(keys, "reservations/bootstrap", b""))
}

impl Commands {
    /// Registers `account`, whose names must be free. Asked again with the same `ask`, it goes on where it was.
    pub async fn register(
        &self,
        account: AccountId,
        registered: Registered,
        ask: &Ask,
    ) -> Result<Outcome, RegisterError> {
        let identity = registered.identity.as_ref().map(|identity| identity.place);
        let wanted = [
            (Some(registered.email), RegisterError::EmailTaken),
            (Some(registered.username), RegisterError::UsernameTaken),
            (identity, RegisterError::IdentityTaken),
            (registered.bootstrap, RegisterError::NotTheFirst),
        ];
        let mut reserved = vec![];
        for (place, taken) in wanted {
            let Some(place) = place else { continue };
            if self.reserve(place, account, ask).await? == Reserved::ByAnother
                && self.give_up(account, &reserved, ask).await?
            {
                return Err(taken);
            }
            reserved.push(place);
        }
        let register = accounts::Command::Register(registered);
        let given = self.give(account.stream(), register, ask.clone()).await;
        if let Err(CommandError::Refused(AnyRefusal::Accounts(accounts::Refusal::RegistrationVoid))) = &given
        {
            for place in reserved {
                self.release(account, place, ask).await?;
            }
        }
        Ok(given?)
    }

    /// Calls the person otherwise; new names must be free. `ask` may name the version of the account that was seen.
    pub async fn change_profile(
        &self,
        account: AccountId,
        named: Named,
        ask: &Ask,
    ) -> Result<Outcome, RegisterError> {
        let Named {
            personal,
            email,
            username,
        } = named;
        let given_up = self.given_up(account).await?;
        self.retake(account, email, RegisterError::EmailTaken, ask)
            .await?;
        self.retake(account, username, RegisterError::UsernameTaken, ask)
            .await?;
        let change = accounts::Command::ChangeProfile {
            personal,
            email,
            username,
            given_up,
        };
        Ok(self.give(account.stream(), change, ask.clone()).await?)
    }

    /// Makes an identity at another provider a way in; it must be nobody else's.
    pub async fn link_identity(
        &self,
        account: AccountId,
        identity: accounts::Identity,
        ask: &Ask,
    ) -> Result<Outcome, RegisterError> {
        let given_up = self.given_up(account).await?;
        self.retake(account, identity.place, RegisterError::IdentityTaken, ask)
            .await?;
        let link = accounts::Command::LinkIdentity { identity, given_up };
        Ok(self.give(account.stream(), link, ask.clone()).await?)
    }

    /// Whether nobody has registered with the secret for the first administrator.
    pub async fn awaits_first_admin(&self, keys: &Keys) -> Result<bool, CommandError> {
        Ok(self.account_at(bootstrap_place(keys)).await?.is_none())
    }

    async fn given_up(&self, account: AccountId) -> Result<u32, CommandError> {
        let (state, _) = self.state::<Account>(account.stream()).await?;
        Ok(match state {
            Account::Active(active) => active.given_up,
            Account::Void | Account::Unregistered | Account::Erased => 0,
        })
    }

    /// Reserves a place that the account does not hold. What comes to nothing lapses by itself.
    async fn retake(
        &self,
        account: AccountId,
        place: ReservationId,
        taken: RegisterError,
        ask: &Ask,
    ) -> Result<(), RegisterError> {
        if holds(self, account, place).await? {
            return Ok(());
        }
        let retake = reservations::Command::Retake { account };
        match self.give(place.stream(), retake, ask.anew()).await {
            Ok(_) => Ok(()),
            Err(CommandError::Refused(AnyRefusal::Reservations(reservations::Refusal::Taken))) => Err(taken),
            Err(error) => Err(error.into()),
        }
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

    /// Makes sure that `account` never comes to be, and only then gives its places back: whoever
    /// asks the same at the same time must not register without them. False when that one was quicker.
    async fn give_up(
        &self,
        account: AccountId,
        places: &[ReservationId],
        ask: &Ask,
    ) -> Result<bool, CommandError> {
        let void = accounts::Command::VoidRegistration;
        self.give(account.stream(), void, ask.anew()).await?;
        let (state, _) = self.state::<Account>(account.stream()).await?;
        if matches!(state, Account::Active(_)) {
            return Ok(false);
        }
        for place in places {
            self.release(account, *place, ask).await?;
        }
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
            AnyEvent::Accounts(event) => settle_account(reaction, event).await,
            AnyEvent::Reservations(reservations::Event::Lapsed(lapsed)) => {
                settle_lapsed(reaction, lapsed.account).await
            }
            AnyEvent::Reservations(_)
            | AnyEvent::Uploads(_)
            | AnyEvent::Videos(_)
            | AnyEvent::Jobs(_)
            | AnyEvent::Views(_) => Ok(()),
        }
    })
}

/// Confirms what the account took and gives back what it has no use for.
async fn settle_account(reaction: &Reaction<'_>, event: accounts::Event) -> Result<(), CommandError> {
    let (taken, given_up) = match event {
        accounts::Event::Registered(registered) => {
            let identity = registered.identity.map(|identity| identity.place);
            let names = [registered.email, registered.username].into_iter();
            (
                names.chain(identity).chain(registered.bootstrap).collect(),
                vec![],
            )
        }
        accounts::Event::ProfileChanged(changed) => (vec![changed.email, changed.username], changed.given_up),
        accounts::Event::IdentityLinked(linked) => (vec![linked.identity.place], vec![]),
        accounts::Event::IdentityUnlinked(unlinked) => (vec![], vec![unlinked.place]),
        accounts::Event::Erased(erased) => (vec![], erased.places),
        _ => (vec![], vec![]),
    };
    let account = AccountId(reaction.stream.id);
    for place in taken {
        // The account's stream goes on meanwhile: what it has given up by now is another event's business.
        if holds(reaction.commands, account, place).await? {
            confirm(reaction, account, place).await?;
        }
    }
    for place in given_up {
        if !holds(reaction.commands, account, place).await? {
            reaction
                .give(place.stream(), reservations::Command::GiveBack { account })
                .await?;
        }
    }
    Ok(())
}

/// The account's own word decides, whether it was given just now or before a crash.
async fn settle_lapsed(reaction: &Reaction<'_>, account: AccountId) -> Result<(), CommandError> {
    let place = ReservationId(reaction.stream.id);
    reaction
        .give(account.stream(), accounts::Command::VoidRegistration)
        .await?;
    reaction
        .give(account.stream(), accounts::Command::GiveUpName { place })
        .await?;
    let command = if holds(reaction.commands, account, place).await? {
        reservations::Command::Confirm { account }
    } else {
        reservations::Command::Release { account }
    };
    reaction.give(reaction.stream, command).await
}

/// A place that was given back in the meantime is not an error: its account does not hold it any more.
async fn confirm(
    reaction: &Reaction<'_>,
    account: AccountId,
    place: ReservationId,
) -> Result<(), CommandError> {
    let confirm = reservations::Command::Confirm { account };
    reaction.give(place.stream(), confirm).await
}

async fn holds(commands: &Commands, account: AccountId, place: ReservationId) -> Result<bool, CommandError> {
    let (state, _) = commands.state::<Account>(account.stream()).await?;
    Ok(match state {
        Account::Active(active) => active.holds(place),
        Account::Void | Account::Unregistered | Account::Erased => false,
    })
}
