package state

// A state has a partition for each file of a lake, and all are read by every
// command. partitionReader reads their records as the library of all others does,
// but for a quarter of the price: it knows what they look like, and their texts
// stay where they are.
type partitionReader struct {
	recordReader
	files []File // room for those of many partitions
	dumps []int64
}

// read reports whether a payload is a record of the form that kv.Encode gives, which
// nobody may change from then on. Of any other, p is of no use.
func (r *partitionReader) read(payload []byte, p *Partition) bool {
	r.b, r.bad = payload, false
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			p.Ordinal = r.uint32()
		case 2:
			p.Value = r.int()
		case 3:
			p.Null = r.bool()
		case 4:
			p.Rows = r.int()
		case 5:
			r.list(p)
		case 6:
			r.ref(&p.Shadow)
		case 7:
			if cap(r.dumps) == len(r.dumps) {
				r.dumps = make([]int64, 0, 256)
			}
			r.dumps = append(r.dumps, r.int())
			p.Newest = &r.dumps[len(r.dumps)-1]
		default: // of a newer program
			return false
		}
	}
	return !r.bad && len(r.b) == 0
}

func (r *partitionReader) list(p *Partition) {
	n := r.length(majorArray)
	if n > cap(r.files)-len(r.files) {
		r.files = make([]File, 0, max(n, 256))
	}
	at := len(r.files)
	r.files = r.files[:at+n]
	p.Files = r.files[at : at+n : at+n]
	for i := range p.Files {
		p.Files[i] = File{}
		r.file(&p.Files[i])
	}
}

func (r *partitionReader) file(f *File) {
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			f.Sink = int(r.int())
		case 2:
			f.Path = r.text()
		case 3:
			f.Size = r.int()
		case 4:
			f.Rows = r.int()
		case 5:
			f.Digest = r.text()
		case 6:
			f.Pin = r.text()
		case 7:
			f.Appended = r.bool()
		default:
			r.bad = true
		}
	}
}

func (r *partitionReader) ref(to *Ref) {
	var last uint64
	for range r.length(majorMap) {
		switch r.field(&last) {
		case 1:
			to.Digest = r.text()
		case 2:
			to.Size = r.int()
		case 3:
			to.Rows = r.int()
		case 10:
			to.Name = r.text()
		default:
			r.bad = true
		}
	}
}
