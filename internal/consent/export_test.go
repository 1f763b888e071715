package consent

import "os"

// Swap lets a journal write to another file, and gives the one of before.
func (j *Journal) Swap(f *os.File) *os.File {
	j.mu.Lock()
	defer j.mu.Unlock()
	was := j.f
	j.f = f
	return was
}
