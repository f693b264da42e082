//! Which version of each view answers, as the log says. A view like the others, though never rebuilt beside
//! itself, because it says which of two versions counts.

use crate::facts::Facts;
use crate::rows::Rows;
use crate::view::{View, ViewError};
use serde::{Deserialize, Serialize};
use spool_domain::ids::Feature;
use spool_domain::views::Event;
use spool_schemas::AnyEvent;
use spool_tables::{Position, TablesError, ViewTables};

const SWITCHES: &str = "switches";

pub(crate) struct Switches;

#[derive(Debug, Serialize, Deserialize)]
struct Switch {
    version: u32,
}

impl View for Switches {
    fn name(&self) -> &'static str {
        "switches"
    }

    fn schema(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static str] {
        &[SWITCHES]
    }

    fn changes_of(&self) -> &'static str {
        SWITCHES
    }

    fn apply(&self, facts: &Facts<'_>, _at: Position, rows: &mut Rows) -> Result<(), ViewError> {
        if facts.stream.feature != Feature::Views {
            return Ok(());
        }
        for fact in &facts.all {
            if let AnyEvent::Views(Event::Switched(switched)) = fact.event()? {
                let version = switched.version;
                rows.set(SWITCHES, &switched.name, "", Some(Switch { version }));
            }
        }
        Ok(())
    }
}

/// The version that answers for the view `name`; 1 until the log says otherwise.
pub(crate) fn wanted(tables: &ViewTables, name: &str) -> Result<u32, TablesError> {
    let row = tables.get(SWITCHES, name, "")?;
    let switch = row.and_then(|row| serde_json::from_slice::<Switch>(&row.value).ok());
    Ok(switch.map_or(1, |switch| switch.version))
}
