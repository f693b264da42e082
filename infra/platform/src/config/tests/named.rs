//! Settings with names of their own in their keys.
use super::{check_refused, flags};
use crate::config::{Config, Secret};

const GOOGLE: &str = "[auth.oidc.google]\nissuer = 'https://accounts.example'\nclient_id = 'spool'\nclient_secret = 'hush-hush'\n";
const ISSUER: &str = "[auth.external_issuers.corp]\nissuer = 'https://login.example'\naudience = 'films'\nrole_claim = 'groups'\n";

#[test]
fn a_file_the_environment_and_flags_set_them() {
    let environment = flags(&[
        ("SPOOL_AUTH_OIDC_GOOGLE_CLIENT_ID", "other"),
        ("SPOOL_AUTH_OIDC_MY_CLOAK_ISSUER", "http://127.0.0.1:1"),
        ("SPOOL_AUTH_OIDC_MY_CLOAK_CLIENT_ID", "films"),
        ("SPOOL_AUTH_EXTERNAL_ISSUERS_CORP_CREATE_ACCOUNTS", "true"),
    ]);
    let more = flags(&[
        ("auth.oidc.my-cloak.label", "My cloak"),
        ("auth.external_issuers.corp.roles", "staff=creator, ops=admin"),
    ]);
    let file = format!("{GOOGLE}{ISSUER}");
    let config = Config::from_layers(Some(&file), environment, &more).expect("all of it is good");
    let names: Vec<&str> = config.auth.oidc.keys().map(String::as_str).collect();
    assert_eq!(names, ["google", "my-cloak"]);
    let google = &config.auth.oidc["google"];
    assert_eq!(google.client_id.as_deref(), Some("other"));
    assert_eq!(
        google.client_secret.as_ref().map(Secret::reveal),
        Some("hush-hush")
    );
    let cloak = &config.auth.oidc["my-cloak"];
    assert_eq!(cloak.label.as_deref(), Some("My cloak"));
    assert_eq!(cloak.subject_field, "id", "what is left out is as for all");
    let corp = &config.auth.external_issuers["corp"];
    assert!(corp.create_accounts);
    assert_eq!(corp.audience.as_deref(), Some("films"));
}

#[test]
fn printing_them_gives_a_file_that_reads_back_to_the_same_but_for_secrets() {
    let file = format!("{GOOGLE}{ISSUER}roles = 'ops=admin'\n");
    let config = Config::from_layers(Some(&file), [], &[]).expect("it is good");
    let printed = config.print();
    assert!(printed.contains("[auth.oidc.google]") && printed.contains("SPOOL_AUTH_OIDC_GOOGLE_CLIENT_ID"));
    assert!(!printed.contains("hush-hush"), "{printed}");
    let put_back = printed.replace("client_secret = \"redacted\"", "client_secret = \"hush-hush\"");
    assert_eq!(
        Config::from_layers(Some(&put_back), [], &[]).expect("it reads back"),
        config
    );
    let none = Config::default().print();
    assert!(
        none.contains("# [auth.oidc.NAME]\n") && none.contains("SPOOL_AUTH_OIDC_NAME_ISSUER"),
        "{none}"
    );
}

#[test]
fn what_is_wrong_with_them_is_said_with_the_name() {
    check_refused(
        "[auth.oidc.google]\nisuer = 'https://a'\n",
        &[],
        &[],
        "unknown setting auth.oidc.google.isuer; did you mean auth.oidc.google.issuer?",
    );
    check_refused(
        "[auth.oidc.'a b']\nissuer = 'https://a'\n",
        &[],
        &[],
        "unknown setting auth.oidc.a b.issuer",
    );
    check_refused(
        "[auth.oidc]\nissuer = 'https://a'\n",
        &[],
        &[],
        "unknown setting auth.oidc.issuer",
    );
    check_refused(
        "[auth.oidc.google]\nissuer = 'https://a'\n",
        &[],
        &[],
        "auth.oidc.google.client_id must be set (SPOOL_AUTH_OIDC_GOOGLE_CLIENT_ID, ",
    );
    check_refused(
        "[auth.oidc.hub]\nclient_id = 'x'\nauthorize_url = 'https://a'\n",
        &[],
        &[],
        "auth.oidc.hub.token_url must be set (SPOOL_AUTH_OIDC_HUB_TOKEN_URL, ",
    );
    check_refused(
        GOOGLE,
        &[],
        &[("auth.oidc.google.token_url", "https://a")],
        "auth.oidc.google.token_url cannot be \"https://a\": the issuer's discovery document tells it",
    );
    check_refused(
        GOOGLE,
        &[],
        &[("auth.oidc.google.issuer", "accounts.example")],
        "auth.oidc.google.issuer cannot be \"accounts.example\": it must start with https://",
    );
    check_refused(ISSUER, &[], &[], "auth.external_issuers.corp.roles must be set");
    check_refused(
        ISSUER,
        &[],
        &[("auth.external_issuers.corp.roles", "ops=root")],
        "auth.external_issuers.corp.roles cannot be \"ops=root\": pairs such as",
    );
    check_refused(
        ISSUER,
        &[],
        &[("auth.external_issuers.corp.create_accounts", "perhaps")],
        "auth.external_issuers.corp.create_accounts cannot be \"perhaps\": true or false is expected",
    );
}
