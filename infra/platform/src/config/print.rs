//! Prints the configuration as TOML that explains itself (`--print-config`).
use serde::Serialize;
use toml::{Table, Value};

use super::fields::Field;

pub(super) fn annotated(fields: &[Field], config: &impl Serialize) -> String {
    let values = Table::try_from(config).expect("settings are text, numbers and flags");
    let mut text = String::from(
        "# Every setting with its value now. The environment goes over a file, flags over both.\n",
    );
    let mut section = "";
    for field in fields {
        let (own, name) = field.section_and_name();
        if own != section {
            text.push_str(&format!("\n[{own}]\n"));
            section = own;
        }
        let table = if own.is_empty() {
            Some(&values)
        } else {
            values.get(own).and_then(Value::as_table)
        };
        text.push_str(&lines(field, name, table.and_then(|table| table.get(name))));
    }
    text
}

fn lines(field: &Field, name: &str, value: Option<&Value>) -> String {
    let meaning = format!("# {} ({})\n", field.meaning, field.variable());
    match value {
        None => format!("{meaning}# {name} = \"\"\n"),
        Some(_) if field.secret => format!("{meaning}{name} = \"redacted\"\n"),
        Some(value) => format!("{meaning}{name} = {value}\n"),
    }
}
