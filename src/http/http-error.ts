/**
 * Why a message is refused, as data: made once, compared by identity, never thrown across the hot path.
 *
 * `code` goes to the peer in `x-serin-error` and to the logs; it says what was wrong without repeating a byte of the message.
 */
export interface HttpError {
  /** Status of the answer; 502 for what is wrong with an upstream's message. */
  readonly status: number;
  readonly code: string;
}

const error = (status: number, code: string): HttpError => Object.freeze({ status, code });

export const REQUEST_ERRORS = {
  line: error(400, 'bad_request_line'),
  lineTooLong: error(414, 'request_line_too_long'),
  methodTooLong: error(501, 'method_too_long'),
  version: error(505, 'http_version_not_supported'),
  emptyLines: error(400, 'too_many_empty_lines'),
  lineEnd: error(400, 'bad_line_end'),
  fieldName: error(400, 'bad_field_name'),
  fieldValue: error(400, 'bad_field_value'),
  folded: error(400, 'folded_field'),
  fieldsTooLarge: error(431, 'header_section_too_large'),
  tooManyFields: error(431, 'too_many_fields'),
  host: error(400, 'bad_host'),
  hostMissing: error(400, 'host_missing'),
  hostRepeated: error(400, 'host_repeated'),
  target: error(400, 'bad_target'),
  pathAboveRoot: error(400, 'path_above_root'),
  pathEncodedSlash: error(400, 'path_encoded_slash'),
  contentLength: error(400, 'bad_content_length'),
  contentLengthAndTransferEncoding: error(400, 'content_length_and_transfer_encoding'),
  transferEncoding: error(400, 'bad_transfer_encoding'),
  transferCoding: error(501, 'transfer_coding_not_supported'),
  transferEncodingIn10: error(400, 'transfer_encoding_in_http_1_0'),
  bodyIn10: error(400, 'unexpected_body_in_http_1_0'),
  chunk: error(400, 'bad_chunk'),
  chunkExtensions: error(400, 'chunk_extensions_too_long'),
  trailer: error(400, 'bad_trailer'),
  trailersTooLarge: error(431, 'trailers_too_large'),
  connectionNomination: error(400, 'bad_connection_option'),
  underscore: error(400, 'underscore_in_field_name'),
  expectation: error(417, 'expectation_failed'),
  maxForwards: error(400, 'bad_max_forwards'),
  upgrade: error(400, 'bad_upgrade'),
  method: error(405, 'method_not_allowed'),
  loop: error(508, 'loop_detected'),
  incomplete: error(400, 'incomplete_request'),
  pseudoHeader: error(400, 'bad_pseudo_header'),
  connectionSpecific: error(400, 'connection_specific_field'),
} as const;

export const RESPONSE_ERRORS = {
  line: error(502, 'bad_status_line'),
  lineEnd: error(502, 'bad_line_end'),
  fieldName: error(502, 'bad_field_name'),
  fieldValue: error(502, 'bad_field_value'),
  folded: error(502, 'folded_field'),
  fieldsTooLarge: error(502, 'response_head_too_large'),
  tooManyFields: error(502, 'too_many_fields'),
  contentLength: error(502, 'bad_content_length'),
  contentLengthAndTransferEncoding: error(502, 'content_length_and_transfer_encoding'),
  transferEncoding: error(502, 'bad_transfer_encoding'),
  chunk: error(502, 'bad_chunk'),
  chunkExtensions: error(502, 'chunk_extensions_too_long'),
  trailer: error(502, 'bad_trailer'),
  trailersTooLarge: error(502, 'trailers_too_large'),
} as const;
