// How much values that follow each other say the same: packets of one session are no independent samples.

enum Autocorrelation {
    /// Integrated autocorrelation time: so many values of the series are worth one independent value; 1 when each is.
    ///
    /// The sum of autocorrelations up to five times itself, where noise begins to outweigh what is left: Sokal, "Monte
    /// Carlo methods in statistical mechanics", 1997, section 3.
    static func time(_ series: [Double]) -> Double {
        let mean = series.reduce(0, +) / Double(max(1, series.count))
        let centred = series.map { $0 - mean }
        let variance = centred.reduce(0) { $0 + $1 * $1 }
        guard variance > 0 else { return 1 }
        var time = 1.0
        for lag in 1..<max(1, series.count / 2) {
            var sum = 0.0
            for index in 0..<(centred.count - lag) { sum += centred[index] * centred[index + lag] }
            time += 2 * sum / variance
            if Double(lag) >= 5 * time { break }
        }
        return max(1, time)
    }
}
