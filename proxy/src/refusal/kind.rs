//! The kinds of refusal: a status, a code that is never used for anything else, and a title.

use config::Code;
use http::StatusCode;

/// What all refusals of one kind have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    /// The status of the response.
    pub(crate) status: StatusCode,
    /// The number that the documentation lists.
    pub(crate) code: Code,
    /// One line for the caller.
    pub(crate) title: &'static str,
}

/// Declares the kinds and the list of them from the same lines.
macro_rules! kinds {
    ($($name:ident = $code:literal $status:ident $title:literal;)*) => {
        $(pub(crate) const $name: Kind = Kind { status: StatusCode::$status, code: Code($code), title: $title };)*

        /// Every kind, in ascending order.
        #[cfg(test)]
        pub(super) const ALL: &[Kind] = &[$($name),*];
    };
}

kinds! {
    NO_ROUTE = 3001 NOT_FOUND "no route matches";
    NOBODY = 3002 FORBIDDEN "the route is open to nobody";
    NOT_LISTED = 3003 FORBIDDEN "the route does not let this caller pass";
    UNPROVEN = 3004 UNAUTHORIZED "the route asks for a token";
    DISTRUSTED = 3005 FORBIDDEN "the certificate of the connection is not believed any more";
    TOKEN_MALFORMED = 3101 UNAUTHORIZED "the token cannot be read";
    TOKEN_TOO_LARGE = 3102 UNAUTHORIZED "the token is too large";
    TOKEN_ISSUER = 3103 UNAUTHORIZED "the token's issuer is not believed";
    TOKEN_ALGORITHM = 3104 UNAUTHORIZED "the token's algorithm is not taken";
    TOKEN_KEY = 3105 UNAUTHORIZED "the token's key is not known";
    TOKEN_SIGNATURE = 3106 UNAUTHORIZED "the token's signature does not hold";
    TOKEN_AUDIENCE = 3107 UNAUTHORIZED "the token is meant for others";
    TOKEN_EXPIRED = 3108 UNAUTHORIZED "the token has expired";
    TOKEN_EARLY = 3109 UNAUTHORIZED "the token is not good yet";

    PATH = 4001 BAD_REQUEST "the path has more than one meaning";
    NO_HOST = 4002 BAD_REQUEST "the request names no host";
    BAD_HOST = 4003 BAD_REQUEST "the request does not name exactly one valid host";
    CONNECT = 4004 NOT_IMPLEMENTED "CONNECT is not offered";
    UPGRADE = 4005 NOT_IMPLEMENTED "the route offers no such protocol";
    BODY_TOO_LARGE = 4006 PAYLOAD_TOO_LARGE "the body is too large";
    BODY_BROKEN = 4007 BAD_REQUEST "the body is incomplete";
    BODY_TIMEOUT = 4008 REQUEST_TIMEOUT "the body did not arrive in time";
    MODEL = 4009 BAD_REQUEST "the body does not name one model";
    MODEL_LATE = 4010 PAYLOAD_TOO_LARGE "the body names its model too late";
    MODEL_ENCODED = 4011 UNSUPPORTED_MEDIA_TYPE "the body names its model in an encoding";
    RATE = 4012 TOO_MANY_REQUESTS "the route takes no more requests of this caller at the moment";

    NO_SUCH_RESOURCE = 4201 NOT_FOUND "an inline model has no such resource";
    NO_SUCH_VERSION = 4202 NOT_FOUND "the model is not served in this version";
    METHOD = 4203 METHOD_NOT_ALLOWED "the resource does not offer this method";
    INFERENCE = 4204 BAD_REQUEST "the inference request is not valid";
    ENCODING = 4205 UNSUPPORTED_MEDIA_TYPE "the body has an encoding that is not taken";

    FEEDBACK_MALFORMED = 4601 BAD_REQUEST "the feedback cannot be read";
    FEEDBACK_TOO_MANY = 4602 PAYLOAD_TOO_LARGE "the request brings too many reports";
    FEEDBACK_BUSY = 4603 SERVICE_UNAVAILABLE "no report can be taken at the moment";
    FEEDBACK_TOKEN = 4610 BAD_REQUEST "the assignment token is not valid";
    FEEDBACK_FOREIGN = 4611 NOT_FOUND "the assignment belongs to no experiment that is in force here";
    FEEDBACK_OTHER_RUN = 4612 CONFLICT "the assignment belongs to an earlier run";
    FEEDBACK_NOT_COUNTING = 4613 CONFLICT "the experiment counts nothing at the moment";
    FEEDBACK_METRIC = 4614 UNPROCESSABLE_ENTITY "the experiment has no such metric from feedback";
    FEEDBACK_VALUE = 4615 UNPROCESSABLE_ENTITY "the value does not fit the metric";
    FEEDBACK_LATE = 4616 GONE "the report comes too late";

    UNREACHABLE = 5001 BAD_GATEWAY "the upstream cannot be reached";
    BROKEN = 5002 BAD_GATEWAY "the upstream gave no valid response";
    CONNECT_TIMEOUT = 5003 GATEWAY_TIMEOUT "the upstream did not accept a connection in time";
    RESPONSE_TIMEOUT = 5004 GATEWAY_TIMEOUT "the upstream did not respond in time";
    UPSTREAM_BUSY = 5005 SERVICE_UNAVAILABLE "the upstream can take no more at once";
    UNTRUSTED = 5006 BAD_GATEWAY "the upstream is not who it should be";
    DEADLINE = 5007 GATEWAY_TIMEOUT "the deadline of the call passed";

    MODEL_BUSY = 5101 SERVICE_UNAVAILABLE "the model's queue is full";
    MODEL_TIMEOUT = 5102 GATEWAY_TIMEOUT "the model did not respond in time";
    MODEL_FAILED = 5103 INTERNAL_SERVER_ERROR "the model failed";

    INCOMPLETE = 5901 INTERNAL_SERVER_ERROR "internal error";
}
