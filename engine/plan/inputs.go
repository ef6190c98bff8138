package plan

import "slices"

// Inputs are what the steps of a table were planned from. Digests are hexadecimal SHA-256
// unless said otherwise; an empty one stands for nothing.
type Inputs struct {
	// Definition is the digest of the table's configuration, masks by method and verifier.
	Definition string `cbor:"1,keyasint,omitempty"`
	// Commit is the table's last one, Applied the digest of the dumps that it has, with
	// their manifests.
	Commit  uint64 `cbor:"2,keyasint,omitempty"`
	Applied string `cbor:"3,keyasint,omitempty"`
	// Pending are the dumps that the steps read, by id.
	Pending []Delivery `cbor:"4,keyasint,omitempty"`
	// Mapping is the user mapping that the table is to stand at; nil for none.
	Mapping *MappingInput `cbor:"5,keyasint,omitempty"`
	// Sinks are those where the table is and is to be, by root.
	Sinks []SinkInput `cbor:"6,keyasint,omitempty"`
	// Checks is the digest of those that judge the dumps that the steps take; empty
	// without such dumps.
	Checks string `cbor:"7,keyasint,omitempty"`
}

// Delivery is what one dump lists of a table.
type Delivery struct {
	Dump     int64  `cbor:"1,keyasint,omitempty"`
	Manifest string `cbor:"2,keyasint,omitempty"` // digest of what the manifest says of the table
	Files    []Pin  `cbor:"3,keyasint,omitempty"` // in the manifest's order
}

// Pin tells a part file from another one of the same name.
type Pin struct {
	File string `cbor:"1,keyasint,omitempty"`
	Size int64  `cbor:"2,keyasint,omitempty"`
	// Version is what the store says of the file: an ETag, or times and inode.
	Version string `cbor:"3,keyasint,omitempty"`
	// Portable says that Version is the same on every machine, as an ETag is. Where it is
	// not, Size and Content decide.
	Portable bool   `cbor:"4,keyasint,omitempty"`
	Content  string `cbor:"5,keyasint,omitempty"`
}

// MappingInput is a user mapping.
type MappingInput struct {
	Dump   int64  `cbor:"1,keyasint,omitempty"`
	Digest string `cbor:"2,keyasint,omitempty"` // of its entries
	// Read is the digest of how it was read: the manifest's entry and the unit of time.
	Read string `cbor:"3,keyasint,omitempty"`
}

// SinkInput is the head of a sink as far as it is about the table.
type SinkInput struct {
	Root string `cbor:"1,keyasint,omitempty"`
	// Checked says that the sink was looked at. Else there is nothing but its root.
	Checked bool `cbor:"2,keyasint,omitempty"`
	// Entry is the digest of what current.json says of the table, Listing that of the
	// files in the table's folders.
	Entry   string `cbor:"3,keyasint,omitempty"`
	Listing string `cbor:"4,keyasint,omitempty"`
}

// compared is what of a pin is the same on every machine.
func (p Pin) compared() Pin {
	if p.Portable {
		p.Content = ""
	} else {
		p.Version = ""
	}
	return p
}

// compared is what of a delivery is the same on every machine.
func (d Delivery) compared() Delivery {
	d.Files = slices.Clone(d.Files)
	for i, f := range d.Files {
		d.Files[i] = f.compared()
	}
	return d
}

func (in *Inputs) clone() *Inputs {
	out := *in
	out.Pending, out.Sinks = slices.Clone(in.Pending), slices.Clone(in.Sinks)
	for i := range out.Pending {
		out.Pending[i].Files = slices.Clone(out.Pending[i].Files)
	}
	if in.Mapping != nil {
		m := *in.Mapping
		out.Mapping = &m
	}
	return &out
}
