// The names and kinds of runtime/metrics, and the boundaries of its histograms of times, as JSON; then what the pause histogram counts of four
// collections, beside debug.ReadGCStats.
package main

import (
	"encoding/json"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"strconv"
)

func main() {
	kinds := map[string]int{}
	for _, d := range metrics.All() {
		kinds[d.Name] = int(d.Kind)
	}
	for i := 0; i < 4; i++ {
		runtime.GC()
	}
	sample := []metrics.Sample{{Name: "/gc/pauses:seconds"}}
	metrics.Read(sample)
	pauses := sample[0].Value.Float64Histogram()
	buckets, total := []string{}, uint64(0)
	for _, at := range pauses.Buckets {
		buckets = append(buckets, strconv.FormatFloat(at, 'g', -1, 64))
	}
	for _, n := range pauses.Counts {
		total += n
	}
	stats := debug.GCStats{}
	debug.ReadGCStats(&stats)
	json.NewEncoder(os.Stdout).Encode(map[string]any{
		"kinds": kinds, "buckets": buckets, "counts": len(pauses.Counts), "pauses": total, "cycles": stats.NumGC, "kept": len(stats.Pause),
		"last": stats.LastGC.Equal(stats.PauseEnd[0]),
	})
}
