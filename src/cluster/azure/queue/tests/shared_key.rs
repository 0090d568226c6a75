use azure_core::{
    credentials::Secret,
    http::{Method, Request, Url},
};

use super::KEY;
use crate::cluster::azure::queue::shared_key::{SharedKey, string_to_sign};

fn request(url: &str, method: Method) -> Request {
    let mut request = Request::new(Url::parse(url).unwrap(), method);
    request.insert_header("x-ms-date", "Fri, 26 Jun 2015 23:39:12 GMT");
    request.insert_header("x-ms-version", "2026-04-06");
    request
}

#[test]
fn a_send_is_signed_with_its_length_its_type_and_its_sorted_parameters() {
    let url = "https://shop.queue.core.windows.net/jobs/messages?visibilitytimeout=0&messagettl=-1";
    let mut request = request(url, Method::Post);
    request.insert_header("accept", "application/xml");
    request.insert_header("content-type", "application/xml");
    request.insert_header("x-ms-client-request-id", " 1 ");
    request.set_body("<QueueMessage/>");
    assert_eq!(
        string_to_sign("shop", &request),
        "POST\n\n\n15\n\napplication/xml\n\n\n\n\n\n\n\
         x-ms-client-request-id:1\nx-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\n\
         x-ms-version:2026-04-06\n\
         /shop/jobs/messages\nmessagettl:-1\nvisibilitytimeout:0"
    );
}

#[test]
fn a_delete_is_signed_with_its_decoded_receipt_and_without_a_length() {
    let url = "http://127.0.0.1:10001/devstoreaccount1/jobs/messages/5?popreceipt=a%2Bb%2F%3D%3D";
    assert_eq!(
        string_to_sign("devstoreaccount1", &request(url, Method::Delete)),
        "DELETE\n\n\n\n\n\n\n\n\n\n\n\n\
         x-ms-date:Fri, 26 Jun 2015 23:39:12 GMT\nx-ms-version:2026-04-06\n\
         /devstoreaccount1/devstoreaccount1/jobs/messages/5\npopreceipt:a+b/=="
    );
}

#[test]
fn the_signature_is_the_hmac_of_that_text() {
    let url = "https://shop.queue.core.windows.net/jobs?comp=metadata";
    let policy = SharedKey::new("shop", Secret::new(KEY));
    assert_eq!(
        policy.authorization(&request(url, Method::Get)).unwrap(),
        "SharedKey shop:1ArbUzIwRdmy2sJfWmRq/qPXaqbsGMuuNWE3cDJ4l8Y="
    );
    assert!(!format!("{policy:?}").contains(KEY));
}
