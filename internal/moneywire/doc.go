// Package moneywire has what client and server need to write and read the messages that most of the traffic consists of
// without the generated code: operations and their results, of which a request has thousands.
//
// Both sides treat it as a short cut. What a Reader does not take (fields that it does not know, fields that occur twice,
// numbers that the generated code would cut) they hand to the generated code, so that the meaning of every message is the
// one that it has in proto/ballast/v1. Their tests compare both for all messages, and fuzz the readers.
package moneywire
