//! What people are told when a bucket cannot be used: one line that says what to do.
use std::net::{Ipv4Addr, TcpListener};

use spool_blobs::{Access, BlobError, Blobs, S3Settings};
use spool_services::S3;

use crate::s3::{client, fresh_bucket, open, shared};

/// Opening refuses with one line that has all of `expected`.
async fn check(settings: S3Settings, expected: &[&str]) {
    let Err(refused) = Blobs::s3(settings.clone()).await else {
        panic!("{settings:?} can be used");
    };
    let told = refused.to_string();
    assert!(matches!(refused, BlobError::Setup(_)), "{refused:?}");
    for expected in expected {
        assert!(told.contains(expected), "{expected:?} is not in: {told}");
    }
    assert!(!told.contains('\n') && !told.contains("testsecret"), "{told}");
    println!("{told}");
}

fn with_keys(s3: &S3, access_key: &str, secret_key: &str) -> S3Settings {
    S3Settings {
        access: Access::keys(access_key, secret_key),
        ..fresh_bucket(s3)
    }
}

#[tokio::test]
async fn wrong_credentials_are_told_apart() {
    let s3 = shared().await;
    let nobody = with_keys(s3, "nobody", s3.secret_key());
    check(nobody, &["does not know the access key", "s3.access_key"]).await;
    let wrong = with_keys(s3, s3.access_key(), "wrong");
    check(wrong, &["does not accept the signature", "s3.secret_key"]).await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named_and_made_only_when_wanted() {
    let settings = fresh_bucket(shared().await);
    let missing = S3Settings {
        create_bucket: false,
        ..settings.clone()
    };
    check(
        missing.clone(),
        &[
            "there is no bucket",
            &settings.bucket,
            "s3.create_bucket",
            "s3.bucket",
        ],
    )
    .await;
    open(settings).await;
    open(missing).await;
}

#[tokio::test]
async fn a_bucket_that_can_only_be_read_is_refused_with_the_right_that_is_missing() {
    let s3 = shared().await;
    let settings = fresh_bucket(s3);
    open(settings.clone()).await;
    everybody_may_read(s3, &settings.bucket).await;
    let reader = S3Settings {
        access: Access::Anonymous,
        ..settings
    };
    check(reader, &["can be read but not written", "s3:PutObject"]).await;
}

async fn everybody_may_read(s3: &S3, bucket: &str) {
    let policy = format!(
        r#"{{"Version": "2012-10-17", "Statement": [{{"Effect": "Allow", "Principal": "*",
            "Action": ["s3:GetObject", "s3:ListBucket"],
            "Resource": ["arn:aws:s3:::{bucket}", "arn:aws:s3:::{bucket}/*"]}}]}}"#
    );
    let asked = client(s3).put_bucket_policy().bucket(bucket).policy(policy);
    asked.send().await.expect("the policy is taken");
}

#[tokio::test]
async fn a_bucket_without_any_rights_is_refused() {
    let settings = fresh_bucket(shared().await);
    open(settings.clone()).await;
    let stranger = S3Settings {
        access: Access::Anonymous,
        ..settings
    };
    check(stranger, &["refuses access to the bucket", "s3:ListBucket"]).await;
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let endpoint = format!("http://{}", listener.local_addr().expect("it has an address"));
    drop(listener);
    let away = S3Settings {
        endpoint: Some(endpoint.clone()),
        ..fresh_bucket(shared().await)
    };
    check(
        away.clone(),
        &["no object store answers", &endpoint, "s3.endpoint"],
    )
    .await;
    let unknown = S3Settings {
        endpoint: Some("http://no-such-host.invalid".to_owned()),
        ..away
    };
    check(unknown, &["no object store answers", "no-such-host.invalid"]).await;
}

#[tokio::test]
async fn settings_that_cannot_be_are_refused_before_anybody_is_asked() {
    let settings = fresh_bucket(shared().await);
    for endpoint in ["127.0.0.1:9000", "ftp://host", "http://", "http:///path"] {
        let odd = S3Settings {
            endpoint: Some(endpoint.to_owned()),
            ..settings.clone()
        };
        check(odd, &["s3.endpoint must be an address", endpoint]).await;
    }
    let odd = S3Settings {
        prefix: "Films//new".to_owned(),
        ..settings.clone()
    };
    check(odd, &["s3.prefix", "only a-z"]).await;
    let printed = format!("{settings:?}");
    assert!(
        printed.contains("redacted") && !printed.contains("testsecret"),
        "{printed}"
    );
}
