//! What leads to a mail: a reset that is wanted is passed on to the account that has the address, and a new address is to be
//! confirmed.

use crate::answer::CommandError;
use crate::managers::{Manager, Reacting, Reaction};
use spool_domain::accounts::{self, Account, Active};
use spool_domain::ids::{AccountId, ReservationId};
use spool_domain::reservations::{self, Reservation};
use spool_domain::time::Timestamp;
use spool_schemas::AnyEvent;

/// Asks the account at an e-mail address for a link. The request itself does the same whether there is one or not
/// ([why](../../infra/docs/decisions/0021-forgotten-passwords.md)).
pub const RESETS: Manager = Manager {
    name: "resets",
    events: &["PasswordResetWanted"],
    react: |reaction, event| pass_on(reaction, event),
};

/// Asks for a link to every new e-mail address, where mail is sent.
pub const CONFIRMATIONS: Manager = Manager {
    name: "confirmations",
    events: &["UserRegistered", "ProfileChanged"],
    react: |reaction, event| ask_to_confirm(reaction, event),
};

fn pass_on<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        match event {
            AnyEvent::Reservations(reservations::Event::PasswordResetWanted(wanted)) => {
                ask_for_a_link(reaction, wanted.at).await
            }
            _ => Ok(()),
        }
    })
}

async fn ask_for_a_link(reaction: &Reaction<'_>, wanted_at: Timestamp) -> Result<(), CommandError> {
    let place = ReservationId(reaction.stream.id);
    let (reservation, _) = reaction.commands.state::<Reservation>(place.stream()).await?;
    let Some(account) = reservation.holder() else {
        return Ok(());
    };
    // A username is a place too, and so is an address that the account is about to have.
    let is_its_address = active(reaction, account)
        .await?
        .is_some_and(|active| active.email == place);
    if !is_its_address {
        return Ok(());
    }
    let expires_at = wanted_at + reaction.settings().reset_link_life;
    let request = accounts::Command::RequestPasswordReset { expires_at };
    reaction.give(account.stream(), request).await
}

fn ask_to_confirm<'a>(reaction: &'a Reaction<'a>, event: AnyEvent) -> Reacting<'a> {
    Box::pin(async move {
        let may_have_a_new_address = matches!(
            event,
            AnyEvent::Accounts(accounts::Event::Registered(_) | accounts::Event::ProfileChanged(_))
        );
        if !(may_have_a_new_address && reaction.settings().confirms_addresses) {
            return Ok(());
        }
        let account = AccountId(reaction.stream.id);
        // It has been asked about this address when only the name changed.
        let is_new = active(reaction, account)
            .await?
            .is_some_and(|active| !active.email_confirmed && active.confirmation_at.is_none());
        match is_new {
            true => {
                let request = accounts::Command::RequestEmailConfirmation;
                reaction.give(reaction.stream, request).await
            }
            false => Ok(()),
        }
    })
}

async fn active(reaction: &Reaction<'_>, account: AccountId) -> Result<Option<Box<Active>>, CommandError> {
    let (state, _) = reaction.commands.state::<Account>(account.stream()).await?;
    Ok(match state {
        Account::Active(active) => Some(active),
        Account::Unregistered | Account::Void | Account::Erased => None,
    })
}
