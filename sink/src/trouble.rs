//! What a store's refusal means, in one sentence that says what mends it.

/// What to do about an S3 server that is named by an address without TLS.
pub(crate) const PLAIN_HTTP: &str = "its address is http://, so without TLS; allow that with --lake-allow-http \
                                     (AWS_ALLOW_HTTP=true), or name it by https://";

/// The sentence for an error, where its text shows what is wrong; `None` where it has to speak for itself.
///
/// S3's error codes: <https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html>, from memory but for
/// `ExpiredToken`, `AuthorizationHeaderMalformed`, `PermanentRedirect` and `AccessDenied`, which were checked on 2026-11-27
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/ErrorCodeBilling.html>).
pub(crate) fn remedy(error: &str) -> Option<&'static str> {
    if let Some(code) = code(error) {
        let sentence = match code {
            "AccessDenied" | "AllAccessDisabled" => {
                "the store refuses these credentials; they must be allowed to list, read, write and delete there"
            }
            "ExpiredToken" | "TokenRefreshRequired" | "InvalidToken" => {
                "the credentials have expired; renew them (a role of the instance or of the pod renews itself)"
            }
            "InvalidAccessKeyId" | "SignatureDoesNotMatch" => {
                "the store does not know these credentials; check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            }
            "RequestTimeTooSkewed" => {
                "this machine's clock and the store's are too far apart; set it (chronyd, ntpd or the host's)"
            }
            "AuthorizationHeaderMalformed" | "PermanentRedirect" | "IllegalLocationConstraintException" => {
                "the bucket is in another region; state it with --lake-region (AWS_REGION)"
            }
            "NoSuchBucket" => "there is no such bucket; create it, or correct --lake",
            "SlowDown" | "ServiceUnavailable" => "the store asks for fewer requests; it is tried again",
            _ => return None,
        };
        return Some(sentence);
    }
    let texts = [
        ("incorrectly configured region", "the bucket is in another region; state it with --lake-region (AWS_REGION)"),
        ("URL scheme is not allowed", PLAIN_HTTP),
        ("No space left on device", "the disk of the lake is full; make room on it"),
        (
            "File too large (os error",
            "the system lets no file there grow that large; raise the limit (ulimit -f) or quota",
        ),
        ("Permission denied (os error", "this process may not write there; correct the folder's owner or mode"),
        ("Read-only file system", "the disk of the lake can only be read; mount it for writing"),
    ];
    texts.iter().find(|(text, _)| error.contains(text)).map(|(_, sentence)| *sentence)
}

/// The error code in S3's answer.
fn code(error: &str) -> Option<&str> {
    let (_, rest) = error.split_once("<Code>")?;
    rest.split_once("</Code>").map(|(code, _)| code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_or_a_text_of_the_system_is_known_and_anything_else_speaks_for_itself() {
        let known = remedy("PUT failed: 400 Bad Request: <Error><Code>ExpiredToken</Code><Message>x</Message></Error>");
        assert!(known.is_some_and(|sentence| sentence.contains("have expired")));
        let plain =
            remedy("error sending request: builder error for url (http://localhost:9000/): URL scheme is not allowed");
        assert!(plain.is_some_and(|sentence| sentence.contains("--lake-allow-http")));
        assert!(remedy("Unable to write: No space left on device (os error 28)").is_some());
        assert_eq!(remedy("<Error><Code>Unheard</Code></Error>"), None);
        assert_eq!(remedy("connection refused"), None);
    }
}
