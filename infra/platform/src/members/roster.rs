//! Who was heard when, in beats of our own. No clock, no IO.
use std::collections::BTreeMap;

use super::{BEATS_SILENT, Member};

pub(super) struct Roster {
    me: Member,
    said: bool,
    /// How many of our own beats came back.
    beats: u64,
    others: BTreeMap<String, Heard>,
}

struct Heard {
    member: Member,
    /// Our beats when it was first heard of, and last.
    since: u64,
    last: u64,
}

/// Everybody who is there, as far as this node can tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    /// By name; this node is among them.
    pub members: Vec<Seen>,
    /// For how many beats this node has heard itself, and could hear others.
    pub beats: u64,
    /// Whether its last beat came back; until then it knows nothing new.
    pub hears_itself: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub member: Member,
    /// For how many of our beats it has been there.
    pub beats: u64,
}

impl Roster {
    pub fn new(me: Member) -> Self {
        Self {
            me,
            said: false,
            beats: 0,
            others: BTreeMap::new(),
        }
    }

    pub fn has_said(&self) -> bool {
        self.said
    }

    pub fn said(&mut self, me: Member) {
        self.me = me;
        self.said = true;
    }

    /// What another node says of itself. Whether that changes who is there or what they do.
    pub fn hear(&mut self, member: Member) -> bool {
        if member.node == self.me.node {
            return false;
        }
        let known = self.others.get_mut(&member.node);
        if known
            .as_ref()
            .is_some_and(|known| known.member.started_at > member.started_at)
        {
            return false;
        }
        if member.leaving {
            return self.others.remove(&member.node).is_some();
        }
        let heard = Heard {
            since: self.beats,
            last: self.beats,
            member,
        };
        match known {
            Some(known) if known.member.started_at == heard.member.started_at => {
                known.last = self.beats;
                let is_news = known.member != heard.member;
                known.member = heard.member;
                is_news
            }
            _ => {
                self.others.insert(heard.member.node.clone(), heard);
                true
            }
        }
    }

    /// One of our own beats came back, after everything that was heard before this call.
    pub fn beat(&mut self) {
        self.beats += 1;
        let beats = self.beats;
        self.others.retain(|_, heard| beats - heard.last < BEATS_SILENT);
    }

    pub fn present(&self, hears_itself: bool) -> Present {
        let others = self.others.values().map(|heard| Seen {
            member: heard.member.clone(),
            beats: self.beats - heard.since,
        });
        let me = Seen {
            member: self.me.clone(),
            beats: self.beats,
        };
        let mut members: Vec<Seen> = others.chain([me]).collect();
        members.sort_by(|one, other| one.member.node.cmp(&other.member.node));
        Present {
            members,
            beats: self.beats,
            hears_itself,
        }
    }
}

impl Present {
    pub fn member(&self, node: &str) -> Option<&Member> {
        let seen = self.members.iter().find(|seen| seen.member.node == node);
        seen.map(|seen| &seen.member)
    }

    /// Those who have the role.
    pub fn with_role(&self, role: &str) -> impl Iterator<Item = &Seen> {
        let has_role = move |seen: &&Seen| seen.member.has_role(role);
        self.members.iter().filter(has_role)
    }
}
