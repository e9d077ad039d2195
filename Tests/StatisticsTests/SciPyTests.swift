// The same numbers as SciPy's: an implementation that shares nothing with ours.

import Foundation
import Statistics
import Testing

@Suite struct SciPyTests {
    /// Samples in, what scipy.stats says of them out.
    private static let script = """
        from json import dump, load
        from sys import argv, exit, stdout
        try:
            from scipy import stats
        except ImportError:
            exit(77)
        from numpy import concatenate, inf, mean, round
        answers = []
        for first, second in load(open(argv[1])):
            # Its own interval of Welch's test is younger than Debian's.
            welch = stats.ttest_ind(second, first, equal_var=False)
            distance = mean(second) - mean(first)
            one, other = stats.sem(first) ** 2, stats.sem(second) ** 2
            degrees = (one + other) ** 2 / (one**2 / (len(first) - 1) + other**2 / (len(second) - 1))
            reach = stats.t.ppf(0.975, degrees) * (one + other) ** 0.5
            assert abs(welch.pvalue - 2 * stats.t.sf(abs(welch.statistic), degrees)) < 1e-12
            munzel = stats.brunnermunzel(first, second)
            u = stats.mannwhitneyu(second, first).statistic
            small = (first[:6], second[:7])
            answers.append({
                "welch": [distance - reach, distance + reach], "munzel": munzel.pvalue, "superiority": u / len(first) / len(second),
                "exact": stats.mannwhitneyu(*small, method="exact").pvalue,
                "permuted": stats.permutation_test(
                    (round(small[0]), round(small[1])), lambda x, y: abs(stats.rankdata(concatenate([x, y]))[:6].mean() - 7),
                    n_resamples=inf, alternative="greater", vectorized=False).pvalue,
                "bootstrap": list(stats.bootstrap(
                    (first, second), lambda x, y, axis: y.mean(axis) - x.mean(axis), method="percentile", n_resamples=999,
                    random_state=1).confidence_interval),
                "t": [stats.t.ppf(0.975, len(first) / 7), 2 * stats.t.sf(1.7, len(first) / 7)],
            })
        dump(answers, stdout)
        """

    private struct Answer: Decodable {
        var welch: [Double]
        var munzel: Double
        var superiority: Double
        var exact: Double
        var permuted: Double
        var bootstrap: [Double]
        var t: [Double]
    }

    /// - Returns: nil where SciPy is missing.
    private func ask(_ samples: [[[Double]]]) throws -> [Answer]? {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent(
            "virtlat-scipy-\(UUID().uuidString).json")
        try JSONEncoder().encode(samples).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        // Debian's package belongs to Debian's Python, which need not be the first one there is.
        for executable in ["python3", "/usr/bin/python3"] {
            let python = Process()
            python.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            python.arguments = [executable, "-c", Self.script, file.path]
            let output = Pipe()
            python.standardOutput = output
            try python.run()
            let bytes = output.fileHandleForReading.readDataToEndOfFile()
            python.waitUntilExit()
            // 77: no SciPy; 127: no Python.
            if [77, 127].contains(python.terminationStatus) { continue }
            try #require(python.terminationStatus == 0)
            return try JSONDecoder().decode([Answer].self, from: bytes)
        }
        return nil
    }

    @Test func `intervals, tests and effects are SciPy's`() throws {
        var latencies = Latencies(seed: 11)
        let samples = [
            [latencies.lognormal(40, spread: 1), latencies.lognormal(60, spread: 0.5)],
            [latencies.lognormal(200, spread: 0.5), latencies.lognormal(150, spread: 0.5).map { 1.1 * $0 }],
            // Whole numbers, so that there are ties.
            [
                latencies.lognormal(80, spread: 1).map { (4 * $0).rounded() },
                latencies.withOutliers(90).map { (4 * $0).rounded() },
            ],
        ].map { $0.map { $0.map { 5 * $0 } } }
        guard let answers = try ask(samples) else {
            print("NOT HELD AGAINST SCIPY: python3-scipy is not installed (make test installs it)")
            return
        }
        for (arms, answer) in zip(samples, answers) {
            let (first, second) = (arms[0], arms[1])
            // Older versions of SciPy know critical values to nine digits only.
            func close(_ one: Double, _ other: Double, _ tolerance: Double = 1e-7) -> Bool {
                abs(one - other) <= tolerance * max(abs(one), abs(other), 1e-3)
            }
            #expect(try close(#require(RankTest.brunnerMunzel(independent: first, second)), answer.munzel, 1e-8))
            #expect(close(RankTest.compare([first], [second]).superiority, answer.superiority))
            let (few, others) = (Array(first.prefix(6)), Array(second.prefix(7)))
            if Set(few + others).count == 13 { #expect(close(RankTest.exact(few, others), answer.exact)) }
            let rounded = RankTest.exact(
                few.map { $0.rounded(.toNearestOrEven) }, others.map { $0.rounded(.toNearestOrEven) })
            #expect(close(rounded, answer.permuted))
            let degrees = Double(first.count) / 7
            #expect(close(StudentT.critical(0.05, degrees: degrees), answer.t[0]))
            #expect(close(StudentT.twoSided(1.7, degrees: degrees), answer.t[1]))
            // Sessions of one value each are Welch's test on the values.
            let welch = try #require(
                MeanDifference.interval(Units(first.map { [$0] }), Units(second.map { [$0] }), seed: 1))
            #expect(close(welch.lowerBound, answer.welch[0]) && close(welch.upperBound, answer.welch[1]))
            // Another method on other draws: much the same place and width, where there is more than a handful of
            // stretches.
            guard first.count >= 150 else { continue }
            let ours = try #require(MeanDifference.interval(Units([first]), Units([second]), seed: 1))
            let width = answer.bootstrap[1] - answer.bootstrap[0]
            #expect(0.7...1.6 ~= (ours.upperBound - ours.lowerBound) / width)
            #expect(
                abs(ours.lowerBound - answer.bootstrap[0]) < 0.4 * width
                    && abs(ours.upperBound - answer.bootstrap[1]) < 0.4 * width)
        }
    }
}
