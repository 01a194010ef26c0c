// Package api is the gateway's HTTP: routes, who may do what, JSON in and out,
// WebSockets and server-sent events.
//
// A request takes one way through it. The route table names the handler, who
// may call it and which query parameters it takes. The credential is judged by
// the newest durable state. The handler decodes, asks package gateway and
// encodes; it never chooses an error status, one table maps errors to
// problem+json.
//
// What it promises:
//
//   - One order of refusals: the credential, the role, the content type, the
//     size, the syntax, the content, the network, then what the state says.
//   - Whole reports. Every fault in a request's path, query and body is reported
//     with its place, up to a hundred, not only the first.
//   - Nothing is read leniently: a member twice, invalid UTF-8, data after the
//     value, unknown members and unknown query parameters are refused.
//   - Tokens and the texts of internal errors appear in no answer and no log.
//   - A stream ends within a second of its token's end. A subscriber that takes
//     no byte for the write timeout is dropped and delays nobody, and so is one
//     that neither answers a ping nor says anything for two heartbeats.
//   - A stream costs one goroutine, which reads; a few writers, one a processor,
//     hand ready frames to the sockets of all and never wait for one.
//   - A standby judges no write. It passes each on and returns what came back.
package api
