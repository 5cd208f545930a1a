/* The table of errors. Order of the rows = order of the enum (checked by the unit test). */
#include "http/error.h"

static const struct http_error_info errors[HTTP_ERROR_COUNT] = {
    { HTTP_OK, "ok", 200, "" },

    { HTTP_TLS_ON_PLAIN_PORT, "tls_on_plain_port", 400,
      "This port speaks plain HTTP, but a TLS handshake arrived: use http:// or the TLS port." },
    { HTTP_BARE_CR, "bare_cr", 400, "A carriage return stands alone: lines end with CR LF." },
    { HTTP_BARE_LF, "bare_lf", 400, "A line feed stands alone: lines end with CR LF." },
    { HTTP_CONTROL_BYTE, "control_byte", 400,
      "A NUL or another control byte stands in the request line or a header: remove it or encode it." },
    { HTTP_HEAD_TOO_LARGE, "head_too_large", 431, "The headers are too large: send fewer or shorter ones." },
    { HTTP_TOO_MANY_HEADERS, "too_many_headers", 431, "There are too many headers: send fewer." },
    { HTTP_HEAD_CUT, "head_cut", 400, "The head ended before its empty line: send the whole head." },
    { HTTP_HEAD_TIMEOUT, "head_timeout", 408, "The headers did not arrive in time: send them without pauses." },

    { HTTP_LEADING_BLANK_LINE, "leading_blank_line", 400,
      "An empty line stands before the message: begin with its first line, and check the length of the body before it." },
    { HTTP_BAD_REQUEST_LINE, "bad_request_line", 400,
      "The request line is not \"METHOD target HTTP/1.1\" with single blanks between." },
    { HTTP_BAD_METHOD, "bad_method", 400, "The method is not a token of at most 32 characters." },
    { HTTP_CONNECT_REFUSED, "connect_refused", 501, "CONNECT is not served: this is not a forward proxy." },
    { HTTP_BAD_TARGET, "bad_target", 400,
      "The request target holds a character that must be percent-encoded, a fragment, or a bad host." },
    { HTTP_BAD_TARGET_FORM, "bad_target_form", 400,
      "The request target must begin with '/' or http:// or https:// (\"*\" is for OPTIONS alone)." },
    { HTTP_TARGET_TOO_LONG, "target_too_long", 414, "The request target is too long: shorten the URL." },
    { HTTP_BAD_VERSION, "bad_version", 400, "The HTTP version is misspelt: write HTTP/1.1." },
    { HTTP_VERSION_UNSUPPORTED, "version_unsupported", 505, "This HTTP version is not spoken here: use HTTP/1.1." },

    { HTTP_LEADING_BLANK, "leading_blank", 400, "A blank stands before the first header: remove it." },
    { HTTP_LINE_FOLDING, "line_folding", 400, "A header goes on in a line that begins with a blank: write it in one line." },
    { HTTP_MISSING_COLON, "missing_colon", 400, "A header line has no colon: write \"Name: value\"." },
    { HTTP_BAD_HEADER_NAME, "bad_header_name", 400, "A header name is empty or holds a character that may not stand in a name." },
    { HTTP_BLANK_BEFORE_COLON, "blank_before_colon", 400, "A blank stands between a header name and its colon: remove it." },
    { HTTP_HEADER_REPEATED, "header_repeated", 400,
      "A header that may stand only once (Content-Type, Expect) is repeated: send one." },

    { HTTP_HOST_MISSING, "host_missing", 400, "The Host header is missing: HTTP/1.1 requires it." },
    { HTTP_HOST_REPEATED, "host_repeated", 400, "The Host header is repeated: send one." },
    { HTTP_BAD_HOST, "bad_host", 400, "The Host header is not \"name\", \"name:port\" or \"[IPv6]:port\"." },
    { HTTP_HOST_MISMATCH, "host_mismatch", 400, "The host in the request target is not the one in the Host header." },
    { HTTP_CONTENT_LENGTH_REPEATED, "content_length_repeated", 400, "The Content-Length header is repeated: send one." },
    { HTTP_BAD_CONTENT_LENGTH, "bad_content_length", 400, "Content-Length is not one number in decimal digits below 2^63." },
    { HTTP_LENGTH_AND_CHUNKED, "length_and_chunked", 400,
      "Content-Length and Transfer-Encoding stand together: send one of them." },
    { HTTP_TRANSFER_ENCODING_REPEATED, "transfer_encoding_repeated", 400, "The Transfer-Encoding header is repeated: send one." },
    { HTTP_BAD_TRANSFER_ENCODING, "bad_transfer_encoding", 400, "Transfer-Encoding is not exactly \"chunked\"." },
    { HTTP_TRANSFER_ENCODING_UNKNOWN, "transfer_encoding_unknown", 501, "Only the transfer encoding \"chunked\" is spoken here." },
    { HTTP_CHUNKED_IN_HTTP_1_0, "chunked_in_http_1_0", 400,
      "Transfer-Encoding does not exist in HTTP/1.0: send Content-Length or use HTTP/1.1." },
    { HTTP_BAD_CONNECTION, "bad_connection", 400,
      "The Connection header is not a list of names, or names Host, Content-Length or Transfer-Encoding." },
    { HTTP_EXPECTATION_UNKNOWN, "expectation_unknown", 417, "Only \"Expect: 100-continue\" is known here." },

    { HTTP_BAD_CHUNK_SIZE, "bad_chunk_size", 400, "A chunk size is not made of hexadecimal digits followed by CR LF." },
    { HTTP_CHUNK_SIZE_TOO_LARGE, "chunk_size_too_large", 400, "A chunk size has more than 16 digits or is not below 2^63." },
    { HTTP_BAD_CHUNK_EXTENSION, "bad_chunk_extension", 400,
      "A chunk extension is not \";name\" or \";name=value\" without blanks." },
    { HTTP_CHUNK_EXTENSIONS_TOO_LONG, "chunk_extensions_too_long", 400, "The chunk extensions are too long: leave them out." },
    { HTTP_BAD_CHUNK_END, "bad_chunk_end", 400, "A chunk's bytes are not followed by CR LF: its size is wrong." },
    { HTTP_BAD_TRAILER, "bad_trailer", 400, "A trailer after the last chunk is not a valid header line." },
    { HTTP_TRAILERS_TOO_LARGE, "trailers_too_large", 431, "The trailers after the last chunk are too large or too many." },
    { HTTP_BODY_TOO_LARGE, "body_too_large", 413, "The body is larger than is accepted here: send less." },
    { HTTP_BODY_CUT, "body_cut", 400, "The connection ended before the body was whole." },
    { HTTP_BODY_TIMEOUT, "body_timeout", 408, "The body came too slowly: send it without long pauses." },

    { HTTP_BAD_STATUS_LINE, "bad_status_line", 502, "The status line of the answer is not \"HTTP/1.1 200 reason\"." },
    { HTTP_BAD_STATUS, "bad_status", 502, "The status of the answer is not between 100 and 599." },
};

const struct http_error_info *http_error_info(enum http_error error)
{
    invariant((unsigned)error < HTTP_ERROR_COUNT);
    return &errors[error];
}
