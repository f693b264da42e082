//! The consistency token: what a reader must have seen to see its own writes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Per log partition the next offset that a view must have reached. Written `partition:offset,…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Token(pub BTreeMap<u16, u64>);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a consistency token; send back the header as it came")]
pub struct NotAToken;

impl Token {
    /// Reached once everything below `next` of `partition` was seen.
    pub fn at(partition: u16, next: u64) -> Self {
        Self(BTreeMap::from([(partition, next)]))
    }

    /// Asks for both.
    pub fn merge(&mut self, other: &Self) {
        for (partition, next) in &other.0 {
            let mine = self.0.entry(*partition).or_default();
            *mine = (*mine).max(*next);
        }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (partition, next)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(out, "{comma}{partition}:{next}")?;
        }
        Ok(())
    }
}

impl FromStr for Token {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let mut token = Self::default();
        for part in text.split(',').filter(|part| !part.trim().is_empty()).take(1024) {
            let (partition, next) = part.trim().split_once(':').ok_or(NotAToken)?;
            let partition = partition.parse().map_err(|_| NotAToken)?;
            token.merge(&Self::at(partition, next.parse().map_err(|_| NotAToken)?));
        }
        Ok(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_back_and_keeps_the_later_of_two() {
        let mut token = Token::at(3, 17);
        token.merge(&Token::at(5, 2));
        token.merge(&Token::at(3, 4));
        assert_eq!(token.to_string(), "3:17,5:2");
        assert_eq!("3:17,5:2".parse(), Ok(token));
        assert_eq!("three:1".parse::<Token>(), Err(NotAToken));
    }
}
