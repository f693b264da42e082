//! The rules of one attempt: who may have the job, what it may publish, and how it may end.

use super::{Event, events::*};
use super::{Fact, Known, Progress, Refusal, Stage};
use crate::actors::Actor;
use crate::media::{Film, Rendition, RenditionKind};
use crate::time::{Millis, Timestamp};

/// An attempt that failed for a passing reason is followed by another after this, doubled each time.
const RETRY_AFTER: Millis = Millis(2_000);
/// This many attempts in a row may end without a word and without having got any further; then the film is
/// suspected of taking its worker down.
const CUT_OFF_MAX: u32 = 20;
/// So often in a row a worker that comes back takes its own job again at once. Then it waits for the end of the lease and a
/// pause, so that a film which takes its worker down leaves others time, and a node that crashes again and again for
/// another reason gives no film up: twenty times take half an hour.
const CUT_OFF_AT_ONCE: u32 = 3;
/// Pauses are doubled so many times: two seconds become two minutes.
const PAUSE_DOUBLINGS_MAX: u32 = 6;
/// The code of an attempt that ended without a word. It is in logs for ever and tells the two counts apart.
pub(super) const LEASE_EXPIRED: &str = "lease_expired";
/// No lease is longer: a worker that asked for more and died would keep the job from everybody.
const LEASE_MAX: Millis = Millis(3_600_000);
/// Rungs, sound and the source: no film needs more, and each costs memory for as long as the job is known.
const RENDITIONS_MAX: usize = 32;
const RENDITION_NAME_MAX_CHARS: usize = 32;
const CODECS_MAX_CHARS: usize = 100;

impl Known {
    /// The word for a stage that work has ended in.
    pub(super) fn over(&self) -> Option<&'static str> {
        match self.stage {
            Stage::Completed => Some("completed"),
            Stage::Failed => Some("failed"),
            Stage::Cancelled => Some("cancelled"),
            Stage::Waiting { .. } | Stage::Leased { .. } => None,
        }
    }

    /// When the lease ends, if `attempt` is the one that holds it.
    pub(super) fn held_until(&self, attempt: u32) -> Result<Timestamp, Refusal> {
        match &self.stage {
            Stage::Leased {
                attempt: holder,
                until,
                ..
            } if *holder == attempt => Ok(*until),
            Stage::Cancelled => Err(Refusal::Over("cancelled".into())),
            Stage::Waiting { .. } | Stage::Leased { .. } | Stage::Completed | Stage::Failed => {
                Err(Refusal::Fenced)
            }
        }
    }

    pub(super) fn allow(&self, by: &Actor) -> Result<(), Refusal> {
        if by.may_act_for(self.requested.owner) {
            Ok(())
        } else {
            Err(Refusal::NotOwner)
        }
    }

    pub(super) fn claim(&self, worker: &str, lease: Millis, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        // A film may kill its worker each time, which must not take it again at once for ever.
        let suspected = self.cut_off >= CUT_OFF_AT_ONCE;
        match &self.stage {
            Stage::Waiting { from } if *from > now => Err(Refusal::Leased),
            Stage::Leased {
                worker: holder,
                until,
                ..
            } if suspected || (holder != worker && *until > now) => Err(Refusal::Leased),
            Stage::Waiting { .. } | Stage::Leased { .. } => {
                let attempt = self.attempts.checked_add(1).ok_or(Refusal::Fenced)?;
                Ok(vec![Event::Claimed(Claimed {
                    attempt,
                    worker: worker.to_owned(),
                    until: lease_end(now, lease),
                })])
            }
            Stage::Completed | Stage::Failed | Stage::Cancelled => {
                Err(Refusal::Over(self.over().unwrap_or_default().into()))
            }
        }
    }

    pub(super) fn renew(&self, attempt: u32, lease: Millis, now: Timestamp) -> Result<Vec<Event>, Refusal> {
        self.held_until(attempt)?;
        Ok(vec![Event::LeaseRenewed(LeaseRenewed {
            attempt,
            until: lease_end(now, lease),
        })])
    }

    /// Facts are news one after the other: the second may follow from the first.
    pub(super) fn report_all(
        &self,
        attempt: u32,
        lease: Millis,
        facts: &[Fact],
        now: Timestamp,
    ) -> Result<Vec<Event>, Refusal> {
        let until = self.held_until(attempt)?;
        let mut after = self.clone();
        let mut events = vec![];
        for fact in facts {
            if let Some(event) = after.report(attempt, fact)? {
                after.apply(&event);
                events.push(event);
            }
        }
        // Reporting proves life; half a lease left is the time to say so, which keeps the log small.
        let renewed = lease_end(now, lease);
        if (until - now).0.saturating_mul(2) < (renewed - now).0 {
            events.push(Event::LeaseRenewed(LeaseRenewed {
                attempt,
                until: renewed,
            }));
        }
        Ok(events)
    }

    fn report(&self, attempt: u32, fact: &Fact) -> Result<Option<Event>, Refusal> {
        match fact {
            Fact::Probed(film) => {
                let film = Film {
                    frames_per_second: writable(film.frames_per_second),
                    ..film.clone()
                };
                let news = self.film.as_ref() != Some(&film);
                Ok(news.then_some(Event::Probed(Probed { attempt, film })))
            }
            Fact::RenditionStarted(rendition) => self.announce(attempt, rendition),
            Fact::SegmentsPublished {
                rendition,
                from,
                segments,
            } => {
                let progress = self.announced(rendition)?;
                if *from != progress.segments {
                    return Err(Refusal::Gap {
                        rendition: rendition.clone(),
                        from: *from,
                        published: progress.segments,
                    });
                }
                if segments.is_empty() {
                    return Ok(None);
                }
                if progress.finished {
                    return Err(Refusal::RenditionOver {
                        rendition: rendition.clone(),
                    });
                }
                Ok(Some(Event::SegmentsPublished(SegmentsPublished {
                    attempt,
                    rendition: rendition.clone(),
                    from: *from,
                    segments: segments.clone(),
                })))
            }
            Fact::RenditionFinished { rendition } => {
                let finished = self.announced(rendition)?.finished;
                let rendition = rendition.clone();
                let news = RenditionFinished { attempt, rendition };
                Ok((!finished).then_some(Event::RenditionFinished(news)))
            }
            Fact::ThumbnailMade { blob } => {
                let news = self.thumbnail.as_ref() != Some(blob);
                let blob = blob.clone();
                Ok(news.then_some(Event::ThumbnailMade(ThumbnailMade { attempt, blob })))
            }
        }
    }

    fn announce(&self, attempt: u32, rendition: &Rendition) -> Result<Option<Event>, Refusal> {
        check(rendition)?;
        let rendition = Rendition {
            frames_per_second: writable(rendition.frames_per_second),
            ..rendition.clone()
        };
        match self.renditions.get(&rendition.name) {
            Some(known) if known.attempt == attempt && known.rendition == rendition => return Ok(None),
            None if self.renditions.len() >= RENDITIONS_MAX => {
                return Err(Refusal::Invalid {
                    field: "rendition".into(),
                    complaint: format!("must be one of at most {RENDITIONS_MAX}"),
                });
            }
            Some(_) | None => {}
        }
        Ok(Some(Event::RenditionStarted(RenditionStarted {
            attempt,
            rendition,
        })))
    }

    fn announced(&self, rendition: &str) -> Result<&Progress, Refusal> {
        self.renditions
            .get(rendition)
            .ok_or_else(|| Refusal::NotAnnounced {
                rendition: rendition.to_owned(),
            })
    }

    pub(super) fn complete(
        &self,
        attempt: u32,
        duration_ms: u64,
        warnings: &[String],
    ) -> Result<Vec<Event>, Refusal> {
        if matches!(self.stage, Stage::Completed) && self.attempts == attempt {
            return Ok(vec![]);
        }
        self.held_until(attempt)?;
        // What an earlier attempt announced and this one did not may be a rung that is no longer wanted.
        let left_open = self.renditions.values().find(|progress| {
            progress.attempt == attempt && !progress.finished && !progress.rendition.provisional
        });
        if let Some(progress) = left_open {
            return Err(Refusal::Unfinished {
                rendition: progress.rendition.name.clone(),
            });
        }
        let playable = self.renditions.values().any(|progress| {
            progress.finished && progress.segments > 0 && progress.rendition.kind == RenditionKind::Video
        });
        if !playable {
            return Err(Refusal::NothingToPlay);
        }
        Ok(vec![Event::Completed(Completed {
            attempt,
            duration_ms,
            warnings: warnings.to_vec(),
        })])
    }

    pub(super) fn end_attempt(&self, attempt: u32, failure: Failure, now: Timestamp) -> Event {
        if !failure.passing || self.failures.saturating_add(1) >= self.requested.attempts_max {
            return Event::Failed(Failed { attempt, failure });
        }
        Event::AttemptEnded(AttemptEnded {
            attempt,
            failure,
            again_at: now + pause_after(self.failures),
        })
    }

    /// The end of an attempt that was not heard of until its lease ran out.
    pub(super) fn lose_attempt(&self, attempt: u32, now: Timestamp) -> Event {
        let failure = |sentence: String| Failure {
            code: LEASE_EXPIRED.into(),
            sentence,
            passing: true,
        };
        if self.is_cut_off_for_good() {
            let failure = failure(format!(
                "the worker stopped answering {CUT_OFF_MAX} times before this film got any further; it can be started again"
            ));
            return Event::Failed(Failed { attempt, failure });
        }
        Event::AttemptEnded(AttemptEnded {
            attempt,
            failure: failure("the worker stopped answering".into()),
            again_at: now + pause_after(self.cut_off),
        })
    }

    /// Whether the attempt that is running is the last that may end without a word.
    fn is_cut_off_for_good(&self) -> bool {
        self.cut_off.saturating_add(1) >= CUT_OFF_MAX
    }
}

/// The pause after an attempt before which so many others ended alike.
fn pause_after(others: u32) -> Millis {
    Millis(RETRY_AFTER.0 << others.min(PAUSE_DOUBLINGS_MAX))
}

fn lease_end(now: Timestamp, lease: Millis) -> Timestamp {
    now + lease.clamp(Millis(0), LEASE_MAX)
}

/// A rendition's name becomes a folder and part of an address, its codecs a line of a playlist; both come
/// from a process that has read a stranger's file.
fn check(rendition: &Rendition) -> Result<(), Refusal> {
    let name_letter = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-' | '_');
    let name_fits = (1..=RENDITION_NAME_MAX_CHARS).contains(&rendition.name.len());
    if !name_fits || !rendition.name.chars().all(name_letter) {
        return Err(Refusal::Invalid {
            field: "rendition's name".into(),
            complaint: format!("must be 1 to {RENDITION_NAME_MAX_CHARS} of a-z, 0-9, - and _"),
        });
    }
    let codec_letter =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | ',' | '-' | '_' | '+');
    if rendition.codecs.len() > CODECS_MAX_CHARS || !rendition.codecs.chars().all(codec_letter) {
        return Err(Refusal::Invalid {
            field: "rendition's codecs".into(),
            complaint: format!("must be a list as in RFC 6381 of at most {CODECS_MAX_CHARS} letters"),
        });
    }
    Ok(())
}

/// A rate that JSON can carry and that is read back as the very same number: three decimals, which is
/// what a playlist has (RFC 8216, `FRAME-RATE`), and 0 for what is no rate at all.
fn writable(frames_per_second: f64) -> f64 {
    let sensible = frames_per_second.is_finite() && (0.0..=1e6).contains(&frames_per_second);
    if sensible {
        (frames_per_second * 1000.0).round() / 1000.0
    } else {
        0.0
    }
}
