package figures

import "context"

// Sample is what one candidate came to in one round of one figure.
type Sample struct {
	Figure    string             `json:"figure"`
	Candidate string             `json:"candidate"`
	Round     int                `json:"round"`
	Values    map[string]float64 `json:"values"`
}

// Samples are all that a run has measured, in the order in which it was measured.
type Samples []Sample

// Note keeps a sample.
func (s *Samples) Note(figure, candidate string, round int, values map[string]float64) {
	*s = append(*s, Sample{figure, candidate, round, values})
}

// Series lists one value of a candidate, in the order of the rounds. A sample without the value is left out.
func (s Samples) Series(figure, candidate, value string) Series {
	var series Series
	for _, x := range s {
		if v, ok := x.Values[value]; ok && x.Figure == figure && x.Candidate == candidate {
			series = append(series, v)
		}
	}
	return series
}

// Turns gives each of the candidates its turn, round by round, until one fails or ctx ends. Each round begins with
// another of them.
func Turns[T any](ctx context.Context, rounds int, candidates []T, turn func(round int, c T) error) error {
	for round := range rounds {
		for i := range candidates {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := turn(round, candidates[(i+round)%len(candidates)]); err != nil {
				return err
			}
		}
	}
	return nil
}
