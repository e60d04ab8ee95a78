package snapshots

import "github.com/ballastdb/ballast/fsm/page"

// Owner is whose state the pages are.
type Owner interface {
	// Receive starts to take in a snapshot from another member, with that meta and digest.
	Receive(meta []byte, digest page.Digest) (Receiver, error)
}

// Receiver builds the state of another member's snapshot beside the present one. Nothing that is served changes. For one
// goroutine.
type Receiver interface {
	// Reserve makes room for the pages of a table, which come in any order. It may refuse them. recordSize 0: not known.
	Reserve(table uint8, recordSize int, first, count uint64) error
	// Held copies the present version of a page into buf, page.Size bytes, and answers its index; 0: there is none.
	Held(id page.ID, buf []byte) (index uint64)
	// Share takes the page from the present state, where it has this index and checksum there, and copies it into buf.
	// damaged: it has the index, and other bytes.
	Share(id page.ID, index, checksum uint64, buf []byte) (shared, damaged bool, err error)
	// Page takes a page, its checksum verified; the data is valid until it returns.
	Page(page.Page) error
	// Commit verifies that the pages are the state that the meta names, and makes what is the owner's durable. Only then is
	// the manifest written. alive is called every now and then, and ends it with its error.
	Commit(alive func() error) error
	// Abort drops what was received, also behind Commit where the manifest certainly is not on the disk.
	Abort() error
}
