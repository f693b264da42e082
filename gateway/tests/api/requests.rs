//! Requests to the router, put together a piece at a time, and their answers.

use crate::conforming;
use crate::world::Person;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, header, request};
use serde_json::Value;
use tower::ServiceExt;

pub struct Asking {
    router: Router,
    request: request::Builder,
    body: Body,
}

impl Asking {
    pub fn new(router: &Router, method: &str, path: &str) -> Self {
        Self {
            router: router.clone(),
            request: Request::builder().method(method).uri(path),
            body: Body::empty(),
        }
    }

    pub fn header(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
            ..self
        }
    }

    pub fn by(self, person: &Person) -> Self {
        self.token(&person.access_token)
    }

    pub fn token(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), &format!("Bearer {token}"))
    }

    pub fn json(self, value: &Value) -> Self {
        Self {
            body: Body::from(value.to_string()),
            ..self
        }
        .header("content-type", "application/json")
    }

    pub fn form(self, (content_type, body): (String, Vec<u8>)) -> Self {
        let length = body.len().to_string();
        Self {
            body: Body::from(body),
            ..self
        }
        .header("content-type", &content_type)
        .header("content-length", &length)
    }

    fn place(&self) -> (String, String) {
        let method = self.request.method_ref().expect("it was given");
        let uri = self.request.uri_ref().expect("it was given");
        (method.to_string(), uri.path().to_owned())
    }

    pub fn body(self, body: impl Into<Body>) -> Self {
        Self {
            body: body.into(),
            ..self
        }
    }

    /// Sends it, and holds the answer against the OpenAPI document.
    pub async fn send(self) -> Answer {
        let router = self.router.clone();
        let (method, path) = self.place();
        let answer = self.send_as_it_is().await;
        if !conforming::is_known() {
            let asked = Self::new(&router, "GET", "/api/openapi.json")
                .send_as_it_is()
                .await;
            conforming::know(asked.json());
        }
        conforming::check(&method, &path, &answer);
        answer
    }

    async fn send_as_it_is(self) -> Answer {
        let request = self.request.body(self.body).expect("tests build valid requests");
        let response = self.router.oneshot(request).await.expect("a router never fails");
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 << 20)
            .await
            .expect("the body is whole");
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }
}

pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    #[track_caller]
    pub fn expect(&self, status: StatusCode) {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let value = self
            .headers
            .get(name)
            .unwrap_or_else(|| panic!("no {name} in {:?}", self.headers));
        value.to_str().expect("a header in ASCII")
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}
