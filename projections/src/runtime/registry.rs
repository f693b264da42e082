//! Every view there is, with the side of it that readers see.

use super::feeder::Feeder;
use super::rebuild::Progress;
use super::serving::Serving;
use crate::accounts::AccountsView;
use crate::analytics::AnalyticsView;
use crate::audit::AuditView;
use crate::catalogue::CatalogueView;
use crate::jobs::JobsView;
use crate::view::View;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// A new view is one line here.
pub(crate) fn all() -> Vec<Arc<dyn View>> {
    vec![
        Arc::new(AccountsView),
        Arc::new(CatalogueView),
        Arc::new(JobsView),
        Arc::new(AnalyticsView),
        Arc::new(AuditView),
    ]
}

pub(super) struct Registered {
    pub view: Arc<dyn View>,
    pub serving: Arc<Serving>,
    /// Present while a version is filled.
    filling: Mutex<Option<watch::Receiver<Progress>>>,
}

impl Registered {
    pub fn new(view: Arc<dyn View>) -> Self {
        Self {
            serving: Serving::new(view.name()),
            view,
            filling: Mutex::new(None),
        }
    }

    /// Takes the right to fill a version, which one thread has at a time; false when another has it.
    pub fn begin_filling(&self, progress: watch::Receiver<Progress>) -> bool {
        let mut filling = self.filling();
        let free = filling.is_none();
        if free {
            *filling = Some(progress);
        }
        free
    }

    pub fn end_filling(&self) {
        *self.filling() = None;
    }

    pub fn progress(&self) -> Option<Progress> {
        self.filling().as_ref().map(|progress| progress.borrow().clone())
    }

    fn filling(&self) -> MutexGuard<'_, Option<watch::Receiver<Progress>>> {
        self.filling.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "gauges are floating point, and 2^53 commits are out of reach"
    )]
    pub fn measure(&self, feeder: &Feeder, head: u64) {
        let name = self.view.name();
        let watermark: u64 = feeder.next.iter().sum();
        metrics::gauge!("spool_projection_watermark", "view" => name).set(watermark as f64);
        metrics::gauge!("spool_projection_lag", "view" => name).set(head.saturating_sub(watermark) as f64);
        metrics::counter!("spool_projection_commits_total", "view" => name).absolute(watermark);
    }
}
