//! A browser without a screen: keeps cookies, follows redirects, fills in the forms of a provider.

use anyhow::{Context, Result, bail, ensure};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode, Url, redirect};
use serde_json::{Value, json};

/// More steps than any sign-in has.
const STEPS_MAX: usize = 20;

/// Somebody's browser, which knows one installation of ours and whatever it leads to.
pub struct Browser {
    http: Client,
    base: Url,
    pub cookies: Vec<Cookie>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Cookie {
    host: String,
    path: String,
    pub name: String,
    pub value: String,
}

impl Browser {
    pub fn new(base: &str) -> Result<Self> {
        Ok(Self {
            http: Client::builder().redirect(redirect::Policy::none()).build()?,
            base: base.parse()?,
            cookies: Vec::new(),
        })
    }

    /// One answer to one request for a page.
    pub async fn get(&mut self, url: &Url) -> Result<Response> {
        let asking = self.asking(Method::GET, url).header(ACCEPT, "text/html,*/*");
        self.send(asking, url).await
    }

    /// The same as a program asks, with the browser's cookies.
    pub async fn get_json(&mut self, path: &str, token: Option<&str>) -> Result<Response> {
        let url = self.base.join(path)?;
        let mut asking = self.asking(Method::GET, &url).header(ACCEPT, "application/json");
        if let Some(token) = token {
            asking = asking.bearer_auth(token);
        }
        self.send(asking, &url).await
    }

    pub async fn post_json(&mut self, path: &str, body: &Value) -> Result<Response> {
        let url = self.base.join(path)?;
        let asking = self.asking(Method::POST, &url).json(body);
        self.send(asking, &url).await
    }

    /// Begins to sign in by `provider`: where the browser is sent.
    pub async fn begin(&mut self, provider: &str) -> Result<Url> {
        let url = self
            .base
            .join(&format!("/api/auth/oidc/{provider}/login?return_to=/my"))?;
        location(&url, &self.get(&url).await?)
    }

    /// Logs in at the provider as `login` from `url` on: the address that leads back to us, which is not yet asked for.
    pub async fn log_in(&mut self, mut url: Url, login: &str) -> Result<Url> {
        for _ in 0..STEPS_MAX {
            if self.is_home(&url) {
                return Ok(url);
            }
            let answer = self.get(&url).await?;
            url = if answer.status().is_redirection() {
                location(&url, &answer)?
            } else {
                let page = answer.error_for_status()?.text().await?;
                self.submit(&url, &page, login).await?
            };
        }
        bail!("{url} leads nowhere")
    }

    /// Signs in by `provider` as `login`: the address where that ends.
    pub async fn sign_in(&mut self, provider: &str, login: &str) -> Result<Url> {
        let there = self.begin(provider).await?;
        let back = self.log_in(there, login).await?;
        self.come_back(&back).await
    }

    /// Asks for the address that a provider led to: where we send the browser.
    pub async fn come_back(&mut self, back: &Url) -> Result<Url> {
        location(back, &self.get(back).await?)
    }

    /// Exchanges the code of the address that a sign-in ended at.
    pub async fn exchange(&mut self, end: &Url) -> Result<Response> {
        let code = in_fragment(end, "code").with_context(|| format!("no code in {end}"))?;
        self.post_json("/api/auth/oidc/exchange", &json!({ "code": code }))
            .await
    }

    /// Signs in by `provider` as `login`: what the page gets.
    pub async fn signed_in(&mut self, provider: &str, login: &str) -> Result<Value> {
        let end = self.sign_in(provider, login).await?;
        let answer = self.exchange(&end).await?;
        ensure!(answer.status() == StatusCode::OK, "{}", answer.text().await?);
        Ok(answer.json().await?)
    }

    /// Signs in by `provider` as `login` in vain: the name of the problem.
    pub async fn problem(&mut self, provider: &str, login: &str) -> Result<String> {
        problem_in(&self.sign_in(provider, login).await?)
    }

    /// The first form of a page, filled in and sent.
    async fn submit(&mut self, url: &Url, page: &str, login: &str) -> Result<Url> {
        let form = tags(page, "form").next();
        let action = form.and_then(|form| attribute(form, "action"));
        let action = url.join(action.with_context(|| format!("no form at {url}: {page}"))?)?;
        let fields = tags(page, "input").filter_map(|input| {
            let name = attribute(input, "name")?;
            let value = match name {
                "login" => login,
                name => attribute(input, "value").unwrap_or(name),
            };
            Some((name, value))
        });
        let fields: Vec<_> = fields.collect();
        let asking = with_form(self.asking(Method::POST, &action), &fields)?;
        location(&action, &self.send(asking, &action).await?)
    }

    fn is_home(&self, url: &Url) -> bool {
        url.origin() == self.base.origin()
    }

    fn asking(&self, method: Method, url: &Url) -> RequestBuilder {
        let host = url.authority();
        let sent = self
            .cookies
            .iter()
            .filter(|cookie| cookie.host == host && url.path().starts_with(&cookie.path));
        let pairs: Vec<_> = sent
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        let asking = self.http.request(method, url.clone());
        match pairs.is_empty() {
            true => asking,
            false => asking.header(COOKIE, pairs.join("; ")),
        }
    }

    async fn send(&mut self, asking: RequestBuilder, url: &Url) -> Result<Response> {
        let answer = asking.send().await?;
        for set in answer.headers().get_all(SET_COOKIE) {
            let mut parts = set.to_str()?.split(';').map(str::trim);
            let (name, value) = parts
                .next()
                .and_then(|pair| pair.split_once('='))
                .context("a cookie")?;
            let path = parts.find_map(|part| part.strip_prefix("Path=").or(part.strip_prefix("path=")));
            let cookie = Cookie {
                host: url.authority().to_owned(),
                path: path.unwrap_or("/").to_owned(),
                name: name.to_owned(),
                value: value.to_owned(),
            };
            self.cookies.retain(|other| {
                (&other.host, &other.path, &other.name) != (&cookie.host, &cookie.path, &cookie.name)
            });
            if !cookie.value.is_empty() {
                self.cookies.push(cookie);
            }
        }
        Ok(answer)
    }
}

/// The request with a form as its body.
pub fn with_form(asking: RequestBuilder, fields: &[(&str, &str)]) -> Result<RequestBuilder> {
    let encoded = Url::parse_with_params("http://form", fields)?;
    let body = encoded.query().unwrap_or_default().to_owned();
    Ok(asking
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(body))
}

/// Where a redirect leads.
pub fn location(from: &Url, answer: &Response) -> Result<Url> {
    ensure!(
        answer.status().is_redirection(),
        "{from} answered {}",
        answer.status()
    );
    let location = answer
        .headers()
        .get(LOCATION)
        .context("a redirect has a Location")?;
    Ok(from.join(location.to_str()?)?)
}

pub fn in_fragment(url: &Url, name: &str) -> Option<String> {
    let as_query = format!("http://a/?{}", url.fragment()?);
    in_query(&as_query.parse().ok()?, name)
}

pub fn in_query(url: &Url, name: &str) -> Option<String> {
    let found = url.query_pairs().find(|(known, _)| known == name);
    found.map(|(_, value)| value.into_owned())
}

/// The address with another value for one of its parameters.
pub fn with_query(url: &Url, name: &str, value: &str) -> Url {
    let pairs: Vec<_> = url.query_pairs().into_owned().collect();
    let mut changed = url.clone();
    changed.query_pairs_mut().clear().extend_pairs(
        pairs
            .iter()
            .map(|(known, old)| (known, if known == name { value } else { old })),
    );
    changed
}

/// The name of the problem that the sign-in page is to show.
pub fn problem_in(end: &Url) -> Result<String> {
    ensure!(end.path() == "/login", "{end} is not the sign-in page");
    in_query(end, "problem").with_context(|| format!("no problem in {end}"))
}

fn tags<'a>(page: &'a str, name: &str) -> impl Iterator<Item = &'a str> {
    let open = format!("<{name} ");
    let starts: Vec<_> = page.match_indices(&open).map(|(at, _)| at).collect();
    starts
        .into_iter()
        .map(move |at| page[at..].split('>').next().unwrap_or_default())
}

fn attribute<'a>(tag: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next()
}
