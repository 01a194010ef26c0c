package main

import (
	"bytes"
	"hash/crc32"
	"os"
	"path/filepath"
	"testing"
)

func TestBareReaderReadsAllThatWasWritten(t *testing.T) {
	dir := t.TempDir()
	first := bytes.Repeat([]byte("0123456789"), 100_000)
	second := []byte("the end")
	for name, b := range map[string][]byte{"1.log": first, "2.log": append(second[:len(second):len(second)], make([]byte, 5000)...), "committed": []byte("no segment")} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	l, err := findBytes(dir)
	if err != nil {
		t.Fatal(err)
	}
	r := &bareReader{logBytes: l}
	if err := r.Each(nil); err != nil {
		t.Fatal(err)
	}
	if want := crc32.Checksum(append(first, second...), castagnoli); r.sum != want {
		t.Errorf("the sum is %08x, want %08x", r.sum, want)
	}
}
