package api

import (
	"crypto/sha256"
	"encoding/hex"
)

// idempotencyKey is the header by which a sender names a request, so that one
// which it sends again is carried out once.
const idempotencyKey = "Idempotency-Key"

// maxIdempotencyKey is how long a key may be, in bytes.
const maxIdempotencyKey = 255

// idempotency returns the names of the request's receipt and of its body,
// false when the request bears no key.
func (c *call) idempotency(body []byte) (receiptID, bodyHash string, given bool) {
	values := c.Header.Values(idempotencyKey)
	if len(values) == 0 {
		return "", "", false
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxIdempotencyKey {
		c.faults.add(pointer("", idempotencyKey), "key", "the header must come once, with 1 to 255 characters")
		return "", "", false
	}
	return digestOf([]byte(c.who.actor + "\n" + key)), digestOf(body), true
}

func digestOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
