//! Reads the words after a chore's name: `--switch`, `--option VALUE`, and plain words.

use anyhow::{Result, bail};

pub struct Flags {
    words: Vec<String>,
}

impl Flags {
    pub fn from_words(words: impl Iterator<Item = String>) -> Self {
        Self {
            words: words.collect(),
        }
    }

    pub fn asks_for_help(&self) -> bool {
        self.words.iter().any(|word| word == "--help" || word == "-h")
    }

    /// Takes a switch out of the words, and says whether it was there.
    pub fn switch(&mut self, name: &str) -> bool {
        let before = self.words.len();
        self.words.retain(|word| word != name);
        self.words.len() != before
    }

    /// Takes `--name VALUE` or `--name=VALUE` out of the words.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        let Some(at) = self
            .words
            .iter()
            .position(|word| word == name || word.starts_with(&joined))
        else {
            return Ok(None);
        };
        let word = self.words.remove(at);
        if let Some(value) = word.strip_prefix(&joined) {
            return Ok(Some(value.to_owned()));
        }
        if at == self.words.len() || self.words[at].starts_with("--") {
            bail!("{name} needs a value after it");
        }
        Ok(Some(self.words.remove(at)))
    }

    /// Takes the next plain word.
    pub fn word(&mut self) -> Option<String> {
        let at = self.words.iter().position(|word| !word.starts_with("--"))?;
        Some(self.words.remove(at))
    }

    /// Refuses whatever nobody took, so that a misspelt flag is not silently ignored.
    pub fn finish(self) -> Result<()> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => bail!("{word:?} is not known here; --help lists what is"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Flags {
        Flags::from_words(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_are_read_joined_and_apart() {
        let mut given = flags("kill --seed 7 --corpus=films --full");
        assert!(given.switch("--full"));
        assert_eq!(given.option("--seed").expect("has a value"), Some("7".into()));
        assert_eq!(
            given.option("--corpus").expect("has a value"),
            Some("films".into())
        );
        assert_eq!(given.word(), Some("kill".into()));
        given.finish().expect("every word was taken");
    }

    #[test]
    fn an_option_without_its_value_is_refused() {
        assert!(flags("--seed").option("--seed").is_err());
        assert!(flags("--seed --full").option("--seed").is_err());
    }

    #[test]
    fn a_misspelt_flag_is_refused() {
        assert!(flags("--fulll").finish().is_err());
    }
}
