package api

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"io"
)

// idempotencyKey is the header by which a sender names a request, so that one
// which it sends again is carried out once.
const idempotencyKey = "Idempotency-Key"

// maxIdempotencyKey is how long a key may be, in bytes.
const maxIdempotencyKey = 255

// idempotency returns the name of the request's receipt and a hash of its body,
// whose sum is right once the body has been read to its end. It returns nil for a
// request without a key.
func (c *call) idempotency() (receiptID string, body hash.Hash) {
	values := c.Header.Values(idempotencyKey)
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxIdempotencyKey {
		c.faults.add(pointer("", idempotencyKey), "key", "the header must come once, with 1 to 255 characters")
		return "", nil
	}
	body = sha256.New()
	c.Body = readCloser{io.TeeReader(c.Body, body), c.Body}
	sum := sha256.Sum256([]byte(c.who.actor + "\n" + key))
	return hex.EncodeToString(sum[:]), body
}
