//! Prints the configuration as TOML that explains itself (`--print-config`).
use serde::Serialize;
use toml::{Table, Value};

use super::fields::Field;
use super::named::{FAMILIES, Family, NAME, with_name};

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
        let meaning = format!("# {} ({})\n", field.meaning, field.variable());
        text.push_str(&lines(
            field,
            name,
            meaning,
            table.and_then(|table| table.get(name)),
        ));
    }
    FAMILIES
        .iter()
        .for_each(|family| text.push_str(&named(family, &values)));
    text
}

/// A table for each that there is, or one without values that shows what can be set.
fn named(family: &Family, values: &Table) -> String {
    let table = |values: &Table, section: &str| values.get(section).and_then(Value::as_table).cloned();
    let mut steps = family.section.split('.');
    let all = steps.try_fold(values.clone(), |values, section| table(&values, section));
    let all = all.unwrap_or_default();
    let mut text = format!("\n# {}\n", family.meaning);
    if all.is_empty() {
        text.push_str(&format!("# [{}.{NAME}]\n", family.section));
        text.push_str(&own_lines(family, NAME, None));
    }
    for (name, values) in &all {
        text.push_str(&format!("[{}.{name}]\n", family.section));
        text.push_str(&own_lines(family, name, values.as_table()));
    }
    text
}

fn own_lines(family: &Family, name: &str, values: Option<&Table>) -> String {
    let lines = family.fields.iter().map(|field| {
        let key = with_name(field, name);
        let last = key.rsplit('.').next().unwrap_or_default();
        let variable = super::fields::variable_of(&key);
        let meaning = format!("# {} ({variable})\n", field.meaning);
        lines(field, last, meaning, values.and_then(|values| values.get(last)))
    });
    lines.collect()
}

fn lines(field: &Field, name: &str, meaning: String, value: Option<&Value>) -> String {
    match value {
        None => format!("{meaning}# {name} = \"{}\"\n", field.default.unwrap_or_default()),
        Some(_) if field.secret => format!("{meaning}{name} = \"redacted\"\n"),
        Some(value) => format!("{meaning}{name} = {value}\n"),
    }
}
