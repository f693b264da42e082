//! Whether this node lives and can serve, and its figures.

use crate::gateway::Gateway;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{AppendHeaders, IntoResponse, Response};
use serde::Serialize;
use spool_domain::ids::VideoId;
use spool_projections::{QueryError, ViewStatus};
use std::time::Duration;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

/// A log that has not written for so long, or tables that have not answered, will not soon.
const WITHIN: Duration = Duration::from_secs(2);

pub fn routes() -> OpenApiRouter<Gateway> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(live))
        .routes(routes!(ready))
        .routes(routes!(figures))
}

/// What this node depends on, one by one.
#[derive(Serialize, ToSchema)]
struct Health {
    #[schema(example = "ready")]
    status: &'static str,
    log: Check,
    tables: Check,
    blobs: Check,
    projections: Check,
    views: Vec<ViewStatus>,
}

#[derive(Serialize, ToSchema)]
struct Check {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

#[derive(Serialize, ToSchema)]
struct Alive {
    #[schema(example = "live")]
    status: &'static str,
}

/// The same as `/health/ready`.
#[utoipa::path(get, path = "/health", operation_id = "get_health", tag = "operation", security(()), responses(
    (status = 200, description = "It can serve everything", body = Health),
    (status = 503, description = "Something is away; the rest goes on", body = Health),
))]
async fn health(State(gateway): State<Gateway>) -> Response {
    gateway.health().await
}

/// The process answers.
#[utoipa::path(get, path = "/health/live", operation_id = "get_liveness", tag = "operation", security(()), responses(
    (status = 200, description = "It does", body = Alive),
))]
async fn live() -> Response {
    axum::Json(Alive { status: "live" }).into_response()
}

/// Everything it depends on answers too.
#[utoipa::path(get, path = "/health/ready", operation_id = "get_readiness", tag = "operation", security(()), responses(
    (status = 200, description = "It can serve everything", body = Health),
    (status = 503, description = "Something is away; the rest goes on", body = Health),
))]
async fn ready(State(gateway): State<Gateway>) -> Response {
    gateway.health().await
}

/// Figures in the text format of Prometheus.
#[utoipa::path(get, path = "/metrics", operation_id = "get_metrics", tag = "operation", security(()), responses(
    (status = 200, description = "All figures", content_type = "text/plain", body = String),
))]
async fn figures(State(gateway): State<Gateway>) -> Response {
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    (
        [(header::CONTENT_TYPE, content_type)],
        gateway.parts().metrics.render(),
    )
        .into_response()
}

impl Check {
    fn of(checked: Result<(), String>) -> Self {
        Self {
            ok: checked.is_ok(),
            detail: checked.err(),
        }
    }
}

impl Gateway {
    async fn health(&self) -> Response {
        let views = self.parts().projections.status();
        let (log, tables, blobs) = tokio::join!(self.check_log(), self.check_tables(), self.check_blobs());
        let (log, tables, blobs) = (Check::of(log), Check::of(tables), Check::of(blobs));
        let projections = Check::of(check_views(&views));
        let is_ready = log.ok && tables.ok && blobs.ok && projections.ok;
        let (code, status) = if is_ready {
            (StatusCode::OK, "ready")
        } else {
            (StatusCode::SERVICE_UNAVAILABLE, "not ready")
        };
        let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let health = Health {
            status,
            log,
            tables,
            blobs,
            projections,
            views,
        };
        (code, AppendHeaders([no_store]), axum::Json(health)).into_response()
    }

    /// Asks the writer for nothing: it answers once everything before that is durable, or not at all. Where other nodes
    /// may lead, one of the partitions that this node leads is asked; and every partition must have had a leader.
    async fn check_log(&self) -> Result<(), String> {
        let log = &self.parts().log;
        let partition = match log.needs_barrier() {
            false => Some(0),
            true => {
                let ownerless = (0..log.partitions()).find(|partition| log.owner(*partition).is_none());
                if let Some(partition) = ownerless {
                    return Err(format!("no node leads partition {partition}"));
                }
                (0..log.partitions()).find(|partition| log.leads(*partition))
            }
        };
        let Some(partition) = partition else {
            return Ok(());
        };
        let nothing = log.append(partition, log.head(partition), vec![]);
        match tokio::time::timeout(WITHIN, nothing).await {
            // Somebody was faster, so somebody is writing; or leads by now.
            Ok(Ok(_) | Err(spool_log::AppendError::Conflict { .. } | spool_log::AppendError::NotOwner)) => {
                Ok(())
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the writer does not answer".to_owned()),
        }
    }

    /// Reads a row that is not there.
    async fn check_tables(&self) -> Result<(), String> {
        let projections = self.parts().projections.clone();
        let read = move || projections.catalogue().video(VideoId(Uuid::nil()));
        match tokio::time::timeout(WITHIN, tokio::task::spawn_blocking(read)).await {
            // That a view is being built is told of on its own.
            Ok(Ok(Ok(_) | Err(QueryError::Rebuilding { .. }))) => Ok(()),
            Ok(Ok(Err(QueryError::Tables(error)))) => Err(error.to_string()),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("the tables do not answer".to_owned()),
        }
    }

    async fn check_blobs(&self) -> Result<(), String> {
        let blobs = &self.parts().blobs;
        blobs.ready().await.map_err(|error| error.to_string())?;
        match blobs.free_bytes().map_err(|error| error.to_string())? {
            Some(free) if free < self.parts().config.uploads.min_free_bytes => {
                Err(format!("only {free} bytes are free; uploads are refused"))
            }
            _ => Ok(()),
        }
    }
}

fn check_views(views: &[ViewStatus]) -> Result<(), String> {
    let away: Vec<&str> = views
        .iter()
        .filter(|view| view.version.is_none())
        .map(|view| view.name.as_str())
        .collect();
    if away.is_empty() {
        Ok(())
    } else {
        Err(format!("being built: {}", away.join(", ")))
    }
}
