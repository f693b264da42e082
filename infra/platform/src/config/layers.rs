//! Lays file, environment and flags over the defaults, and says whose fault a bad value is.
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::fields::{FIELDS, Field, Kind};
use super::{Config, named, needs};

/// Why there is no configuration. Every message names where the bad value came from.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("reading the configuration file {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the configuration file is not TOML: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    #[error("{origin}: unknown setting {key}; did you mean {nearest}?")]
    Unknown {
        origin: String,
        key: String,
        nearest: String,
    },
    #[error("{origin}: {key} cannot be {value}: {reason}")]
    Value {
        origin: String,
        key: String,
        value: String,
        reason: String,
    },
    #[error("{key} must be set ({variable}, or --set {key}=…), because {because}")]
    Missing {
        key: String,
        variable: String,
        because: String,
    },
}

/// By key: where a value came from, and the value.
type Values = BTreeMap<String, (String, Value)>;

pub(super) fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
        path: path.to_owned(),
        source,
    })
}

pub(super) fn merge(
    file_text: Option<&str>,
    environment: impl IntoIterator<Item = (String, String)>,
    flags: &[(String, String)],
) -> Result<Config, ConfigError> {
    let mut values = Values::new();
    for field in FIELDS {
        if let Some(default) = field.default {
            set(
                &mut values,
                "default",
                (field, field.key),
                Value::String(default.to_owned()),
            )?;
        }
    }
    if let Some(text) = file_text {
        let table: Table = text.parse().map_err(Box::new)?;
        lay_table(&mut values, "", &table)?;
    }
    let by_variable: BTreeMap<String, &Field> =
        FIELDS.iter().map(|field| (field.variable(), field)).collect();
    for (name, value) in environment {
        // Other variables of this prefix belong to tests and to other programs: unknown ones are nobody's error.
        let place = by_variable.get(&name).map(|field| (*field, field.key.to_owned()));
        if let Some((field, key)) = place.or_else(|| named::by_variable(&name)) {
            let origin = format!("environment variable {name}");
            set(&mut values, &origin, (field, &key), Value::String(value))?;
        }
    }
    for (key, value) in flags {
        let field = find("flag", key)?;
        let origin = format!("flag for {key}");
        set(&mut values, &origin, (field, key), Value::String(value.clone()))?;
    }
    lay_defaults_of_named(&mut values)?;
    let config = typed(values)?;
    needs::check(&config)?;
    Ok(config)
}

fn lay_table(values: &mut Values, prefix: &str, table: &Table) -> Result<(), ConfigError> {
    for (name, value) in table {
        let key = format!("{prefix}{name}");
        match value {
            Value::Table(inner) if prefix.is_empty() || named::is_table(&key) => {
                lay_table(values, &format!("{key}."), inner)?
            }
            value => {
                let field = find("configuration file", &key)?;
                set(values, "configuration file", (field, &key), value.clone())?;
            }
        }
    }
    Ok(())
}

/// What is left out of a table with a name of its own is as for all others.
fn lay_defaults_of_named(values: &mut Values) -> Result<(), ConfigError> {
    let keys: Vec<String> = values.keys().cloned().collect();
    for (family, name) in keys.iter().filter_map(|key| named::family_of(key)) {
        for field in family.fields {
            let key = named::with_name(field, name);
            if let (Some(default), false) = (field.default, values.contains_key(&key)) {
                set(
                    values,
                    "default",
                    (field, &key),
                    Value::String(default.to_owned()),
                )?;
            }
        }
    }
    Ok(())
}

fn find(origin: &str, key: &str) -> Result<&'static Field, ConfigError> {
    let known = FIELDS.iter().find(|field| field.key == key);
    known
        .or_else(|| named::field_of(key))
        .ok_or_else(|| ConfigError::Unknown {
            origin: origin.to_owned(),
            key: key.to_owned(),
            nearest: nearest(key),
        })
}

/// The known key with the fewest edits between; a wrong section costs no more than a wrong letter would.
fn nearest(key: &str) -> String {
    if let Some((family, name)) = named::family_of(key) {
        let keys = family.fields.iter().map(|field| named::with_name(field, name));
        return keys.min_by_key(|known| edits(key, known)).unwrap_or_default();
    }
    let name = key.rsplit('.').next().unwrap_or(key);
    let cost = |field: &&Field| edits(key, field.key).min(edits(name, field.section_and_name().1) + 1);
    let field = FIELDS.iter().min_by_key(cost);
    field.map_or_else(String::new, |field| field.key.to_owned())
}

fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

/// The key is the field's own, or has a name where the field's has none.
fn set(
    values: &mut Values,
    origin: &str,
    (field, key): (&'static Field, &str),
    value: Value,
) -> Result<(), ConfigError> {
    let value = checked(field, &value).map_err(|reason| bad(origin, (field, key), &value, reason))?;
    values.insert(key.to_owned(), (origin.to_owned(), value));
    Ok(())
}

fn bad(origin: &str, (field, key): (&Field, &str), value: &Value, reason: String) -> ConfigError {
    let value = if field.secret {
        "(a secret)".to_owned()
    } else {
        value.to_string()
    };
    ConfigError::Value {
        origin: origin.to_owned(),
        key: key.to_owned(),
        value,
        reason,
    }
}

/// The value as the kind has it; text from the environment and from flags is read as the kind says.
fn checked(field: &Field, value: &Value) -> Result<Value, String> {
    match (field.kind, value) {
        (Kind::Text, Value::String(text)) if text.is_empty() => {
            Err("it is empty; leave it out instead".to_owned())
        }
        (Kind::Text, Value::String(_)) | (Kind::Flag, Value::Boolean(_)) => Ok(value.clone()),
        (Kind::Text, _) => Err("text is expected".to_owned()),
        (Kind::Flag, Value::String(text)) => text
            .parse()
            .map(Value::Boolean)
            .map_err(|_| "true or false is expected".to_owned()),
        (Kind::Flag, _) => Err("true or false is expected".to_owned()),
        (Kind::Number(least, most), value) => bounded(whole(value)?, least, most),
        (Kind::Bytes, Value::String(text)) => bounded(bytes(text)?, 0, i64::MAX),
        (Kind::Bytes, value) => bounded(whole(value)?, 0, i64::MAX),
    }
}

fn whole(value: &Value) -> Result<i64, String> {
    match value {
        Value::Integer(number) => Ok(*number),
        Value::String(text) => text.parse().map_err(|_| "a whole number is expected".to_owned()),
        _ => Err("a whole number is expected".to_owned()),
    }
}

fn bounded(number: i64, least: i64, most: i64) -> Result<Value, String> {
    match number {
        _ if number < least => Err(format!("it must be at least {least}")),
        _ if number > most => Err(format!("it must be at most {most}")),
        _ => Ok(Value::Integer(number)),
    }
}

fn bytes(text: &str) -> Result<i64, String> {
    const UNITS: [(&str, u32); 4] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40)];
    let expected = || "a number of bytes is expected, such as 1048576 or 64MiB".to_owned();
    let unit = UNITS
        .iter()
        .find_map(|(unit, power)| Some((text.strip_suffix(unit)?, *power)));
    let (digits, power) = unit.unwrap_or((text, 0));
    let number: i64 = digits.trim().parse().map_err(|_| expected())?;
    number
        .checked_mul(1 << power)
        .ok_or_else(|| "it is too large".to_owned())
}

/// What the kinds cannot say (an address, a log format) is checked by the types, field by field to name the culprit.
fn typed(values: Values) -> Result<Config, ConfigError> {
    let mut all = Table::new();
    for field in FIELDS {
        let value = values.get(field.key).map(|(_, value)| value.clone());
        insert(&mut all, field.key, value);
    }
    let of_named = values.iter().filter(|(key, _)| named::family_of(key).is_some());
    for (key, (_, value)) in of_named {
        insert(&mut all, key, Some(value.clone()));
    }
    Config::deserialize(all.clone()).map_err(|error| blame(&values, &error))
}

/// A section is there even when nothing in it has a value.
fn insert(table: &mut Table, key: &str, value: Option<Value>) {
    let mut sections: Vec<&str> = key.split('.').collect();
    let name = sections.pop().unwrap_or_default();
    let place = sections.into_iter().fold(table, |table, section| {
        let inner = table
            .entry(section.to_owned())
            .or_insert_with(|| Value::Table(Table::new()));
        inner.as_table_mut().expect("a section is never also a field")
    });
    if let Some(value) = value {
        place.insert(name.to_owned(), value);
    }
}

/// Finds the one value that, put back over good defaults, is refused.
fn blame(values: &Values, error: &toml::de::Error) -> ConfigError {
    let refused = |field: &&Field| {
        let mut all = Table::new();
        for other in FIELDS {
            let default = other.default.map(|default| Value::String(default.to_owned()));
            let good = default.and_then(|default| checked(other, &default).ok());
            let tried = if other.key == field.key {
                values.get(other.key).map(|(_, value)| value.clone())
            } else {
                good
            };
            insert(&mut all, other.key, tried);
        }
        Config::deserialize(all).is_err()
    };
    let field = FIELDS.iter().find(refused).unwrap_or(&FIELDS[0]);
    let (origin, value) = values
        .get(field.key)
        .cloned()
        .unwrap_or(("default".to_owned(), Value::Boolean(false)));
    bad(&origin, (field, field.key), &value, error.message().to_owned())
}
