// --max and --budget: limits that a comparison is held against.

import ArgumentParser
import Findings
import LinuxSystem
import Report

struct BudgetOptions: ParsableArguments {
    @Option(
        name: .customLong("max"),
        help: ArgumentHelp(
            "A limit, as in 'rx vhost-wakeup p99 <= 50us' or 'end-to-end mean <= +5%'; as often as there are limits.",
            valueName: "budget"))
    var limits: [String] = []

    @Option(
        name: .customLong("budget"), help: ArgumentHelp("A file of limits, one a line.", valueName: "file"),
        completion: .file())
    var file: String?

    @Option(
        help: ArgumentHelp("Write what became of the limits to FILE, as JUnit's XML.", valueName: "file"),
        completion: .file())
    var junit: String?

    var areGiven: Bool { !limits.isEmpty || file != nil }

    func validate() throws {
        if junit != nil, !areGiven {
            throw ValidationError("--junit reports on limits: give some with --max or --budget.")
        }
        do throws(BudgetFault) { _ = try given() } catch { throw ValidationError(error.text) }
    }

    private func given() throws(BudgetFault) -> [Budget] {
        var budgets: [Budget] = []
        for limit in limits {
            let parsed = try BudgetParser.budgets(in: limit, source: "--max '\(limit)'")
            guard parsed.count == 1 else {
                throw BudgetFault(
                    Budget.Place(source: "--max '\(limit)'", line: 1, column: 1),
                    "expected one limit, found \(parsed.count)")
            }
            budgets += parsed
        }
        return budgets
    }

    /// All of them, the file's first.
    func budgets() throws -> [Budget] {
        guard let file else { return try given() }
        let text: String
        do throws(SystemError) { text = String(decoding: try TextFile.bytes(of: file), as: UTF8.self) } catch {
            throw Failure("\(file): \(error.textOfInput)")
        }
        let read = try BudgetParser.budgets(in: text, source: file)
        guard !read.isEmpty else {
            throw Failure("\(file): holds no budget; a line of it reads like: rx vhost-wakeup p99 <= 50us")
        }
        return try read + given()
    }

    func write(_ checks: [BudgetCheck]) throws {
        guard let junit else { return }
        do throws(SystemError) {
            var output = try OutputFile(path: junit)
            try output.stream.write(BudgetReport.junit(checks))
            try output.commit()
        } catch {
            throw Failure("\(junit): \(error.call): \(error.text)")
        }
    }
}
