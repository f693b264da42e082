//! Settings that are there once for each of several things, which have names of their own: `auth.oidc.NAME.issuer`.

use super::fields::{Field, Kind, field, optional, secret};

/// Stands for the name in a key of the table.
pub(super) const NAME: &str = "NAME";
const NAME_MAX_CHARS: usize = 32;

/// Things of one kind.
pub(super) struct Family {
    /// The table that has a table for each of them.
    pub section: &'static str,
    pub meaning: &'static str,
    /// Their keys have [`NAME`] where the name of each comes.
    pub fields: &'static [Field],
}

pub(super) const FAMILIES: &[Family] = &[
    Family {
        section: "auth.oidc",
        meaning: "A provider that people may sign in with, by a name of small letters, digits and dashes.",
        fields: &[
            optional(
                "auth.oidc.NAME.label",
                "What the sign-in page calls it. Unset: its name.",
            ),
            optional(
                "auth.oidc.NAME.issuer",
                "OpenID Connect: the issuer, whose discovery document says all else, such as https://accounts.google.com. Unset: \
                 plain OAuth 2.0, by the addresses below.",
            ),
            optional(
                "auth.oidc.NAME.client_id",
                "Who this installation is to the provider.",
            ),
            secret(
                "auth.oidc.NAME.client_secret",
                "The secret of client_id. Unset: the provider asks for none.",
            ),
            optional(
                "auth.oidc.NAME.scopes",
                "What is asked for, separated by spaces. Unset: `openid email profile`, and nothing of a provider without issuer.",
            ),
            optional(
                "auth.oidc.NAME.authorize_url",
                "OAuth 2.0: where people are sent, such as https://github.com/login/oauth/authorize.",
            ),
            optional(
                "auth.oidc.NAME.token_url",
                "OAuth 2.0: where the code that they come back with is exchanged, such as https://github.com/login/oauth/access_token.",
            ),
            optional(
                "auth.oidc.NAME.userinfo_url",
                "OAuth 2.0: what tells who they are, as JSON, such as https://api.github.com/user.",
            ),
            optional(
                "auth.oidc.NAME.emails_url",
                "OAuth 2.0: what lists their e-mail addresses, as [{email, primary, verified}], such as \
                 https://api.github.com/user/emails. Unset: userinfo_url tells.",
            ),
            field(
                "auth.oidc.NAME.subject_field",
                Kind::Text,
                "id",
                "OAuth 2.0: the field of the answer of userinfo_url that never changes and is nobody else's; dots lead into objects.",
            ),
            field(
                "auth.oidc.NAME.email_field",
                Kind::Text,
                "email",
                "OAuth 2.0: its field with the e-mail address.",
            ),
            optional(
                "auth.oidc.NAME.email_verified_field",
                "OAuth 2.0: its field that is true when the provider has verified the address. Unset: it has not.",
            ),
            field(
                "auth.oidc.NAME.name_field",
                Kind::Text,
                "name",
                "OAuth 2.0: its field with the person's name.",
            ),
            field(
                "auth.oidc.NAME.username_field",
                Kind::Text,
                "login",
                "OAuth 2.0: its field with what the person is called there.",
            ),
        ],
    },
    Family {
        section: "auth.external_issuers",
        meaning: "An issuer whose access tokens (JWT) are accepted as ours are.",
        fields: &[
            optional(
                "auth.external_issuers.NAME.issuer",
                "What `iss` must be; the keys are found by its discovery document.",
            ),
            optional(
                "auth.external_issuers.NAME.audience",
                "What `aud` must be or contain.",
            ),
            field(
                "auth.external_issuers.NAME.create_accounts",
                Kind::Flag,
                "false",
                "Whether somebody unknown gets an account with the first token, instead of being refused.",
            ),
            optional(
                "auth.external_issuers.NAME.role_claim",
                "The claim (a text or a list; dots lead into objects) that says what the token may do, by the words in `roles`. Unset: \
                 what the account may.",
            ),
            optional(
                "auth.external_issuers.NAME.roles",
                "Which words of role_claim mean which role, such as staff=creator,ops=admin; the greatest counts. A token without any: \
                 what the account may.",
            ),
        ],
    },
];

impl Family {
    /// The name in a key, if it is a key of this family.
    fn name_in<'a>(&self, key: &'a str) -> Option<&'a str> {
        key.strip_prefix(self.section)?
            .strip_prefix('.')?
            .split('.')
            .next()
    }
}

/// The field of a key such as `auth.oidc.google.issuer`.
pub(super) fn field_of(key: &str) -> Option<&'static Field> {
    let (family, name) = family_of(key)?;
    family
        .fields
        .iter()
        .find(|field| is_name(name) && with_name(field, name) == key)
}

/// The family and the name of any key below one of its sections.
pub(super) fn family_of(key: &str) -> Option<(&'static Family, &str)> {
    FAMILIES
        .iter()
        .find_map(|family| Some((family, family.name_in(key)?)))
}

/// The field and the key that an environment variable sets. A dash in a name is an underscore there.
pub(super) fn by_variable(variable: &str) -> Option<(&'static Field, String)> {
    let fields = FAMILIES.iter().flat_map(|family| family.fields);
    fields.into_iter().find_map(|field| {
        let pattern = field.variable();
        let (before, after) = pattern.split_once(NAME)?;
        let name = variable.strip_prefix(before)?.strip_suffix(after)?;
        let name = name.to_lowercase().replace('_', "-");
        is_name(&name).then(|| (field, with_name(field, &name)))
    })
}

/// Whether the table at `key` may hold tables or settings of a family.
pub(super) fn is_table(key: &str) -> bool {
    FAMILIES.iter().any(|family| {
        let rest = key.strip_prefix(family.section);
        rest.is_some_and(|rest| {
            rest.is_empty() || rest.strip_prefix('.').is_some_and(|name| !name.contains('.'))
        })
    })
}

/// The key of a field for one of these names.
pub(super) fn with_name(field: &Field, name: &str) -> String {
    field.key.replacen(NAME, name, 1)
}

fn is_name(text: &str) -> bool {
    let allowed = |letter: char| matches!(letter, 'a'..='z' | '0'..='9' | '-');
    (1..=NAME_MAX_CHARS).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.chars().all(allowed)
}
