// virtlat compare: sessions side by side, how sure their differences are, and whether limits are kept.

import ArgumentParser
import Findings
import LinuxSystem
import PacketPath
import Report
import Sessions

struct Compare: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare sessions: what each stage costs in each, how sure the difference is, and what explains it.",
        usage:
            "virtlat compare [options] FOLDER FOLDER ...\nvirtlat compare [options] --arm NAME=FOLDER,FOLDER ... --arm NAME=FOLDER,FOLDER ...",
        discussion: """
            Analyzes each session as virtlat analyze does and puts them side by side: a table of end-to-end times, then every stage's mean, \
            median, 99th percentile and spread, the difference against the first arm with a 95 % interval, a test of ranks, the size of \
            the effect, and which stages explain the difference of the whole. Only complete journeys count.

            An arm is what was measured under one condition: one session, or better several, because sessions differ from each other for no \
            reason at all. Of several sessions the interval is Welch's, on their means; of single ones it is a bootstrap-t interval over \
            stretches of the session, which does not know how sessions differ. The verdict is lower or higher where the interval leaves \
            out 0, or where ranks differ for certain (p < 0.01) though a few packets far out hide it from the mean.

            Memory grows by 8 bytes for each packet and stage: 100 MB for a million packets.

            LIMITS
              A limit is a line; # begins a comment:

                [SCOPE ...] STAGE STATISTIC <= LIMIT        (or <)

              SCOPE      an arm, rx or tx, a path, a guest; several narrow it
                         down; in double quotes where it has blanks
              STAGE      a stage (virtlat paths NAME lists them), or end-to-end
              STATISTIC  mean, min, max, stddev, p50, p90, p99 or p99.9
              LIMIT      a time (500ns, 50us, 1.5ms, 2s), or a change beside the
                         first arm (+5%, -10%) of mean, p50, p90 or p99

              A time is broken when the measured value is above it. A change from +0% \
            up is broken when the measured one is above it and the difference's 95 % \
            interval lies above 0; until then it is undecided, and no failure. A \
            limit of something that an arm has no packets of counts as broken.

            EXAMPLES
              virtlat compare traces/tap-steady traces/macvtap
                  two paths, one session each

              virtlat compare --arm unbound=run1,run2,run3 --arm bound=run4,run5,run6
                  two ways to bind threads, three sessions each

              virtlat compare before after --format csv | grep ',rx,'
                  every number of the way to the guest

              virtlat compare before after --max 'rx end-to-end p99 <= +5%'
                  stop a build that makes packets slower

              virtlat compare after --budget limits.txt --junit limits.xml
                  hold one session against limits, for what runs the build

            EXIT STATUS
              0  done; differences are no failure
              1  a file can't be read, is no session, or a limit names what is not there
              3  a limit is broken
              64 wrong usage
            """)

    @Argument(
        help: ArgumentHelp(
            "Folders of sessions, each an arm by itself; the first is what others are held against.",
            valueName: "folder"),
        completion: .directory)
    var folders: [String] = []

    @Option(
        name: .customLong("arm"),
        help: ArgumentHelp(
            "The sessions of an arm, in place of folders alone; the first arm is what others are held against.",
            valueName: "name=folder,..."),
        completion: .directory)
    var arms: [String] = []

    @Option(help: "How to print the comparison: text, json or csv.")
    var format = ComparisonRun.Format.text

    @Option(help: "Only this guest, by name.")
    var guest: String?

    @Option(help: "Only this device, by its name in the guest or on the host.")
    var device: String?

    @Option(help: "Only rx (to the guest) or tx (from it).")
    var direction: SessionOptions.DirectionName?

    @Option(help: ArgumentHelp("How to put guests on the host's clock, as in virtlat analyze.", valueName: "evidence"))
    var clock = ClockOption.automatic

    @Option(help: ArgumentHelp("What the intervals' random draws begin with.", valueName: "number"))
    var seed: UInt64 = ComparisonRun.defaultSeed

    @OptionGroup(title: "Limits") var limits: BudgetOptions

    func validate() throws {
        guard folders.isEmpty || arms.isEmpty else {
            throw ValidationError("Folders alone and --arm do not go together: give each folder an arm.")
        }
        let count = arms.isEmpty ? folders.count : try named().count
        // One arm can be held against limits, but not against itself.
        if count < (limits.areGiven ? 1 : 2) {
            throw ValidationError(
                count == 0
                    ? "No session was given."
                    : "One arm can't be compared: give another, or a limit to hold it against (--max).")
        }
    }

    /// The arms of --arm; a name may come again with more folders.
    private func named() throws -> [ComparisonRun.Arm] {
        var named: [ComparisonRun.Arm] = []
        for arm in arms {
            let parts = arm.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let folders =
                parts.count == 2
                ? parts[1].split(separator: ",", omittingEmptySubsequences: false).map { String($0) } : []
            guard !parts[0].isEmpty, !folders.isEmpty, !folders.contains("") else {
                throw ValidationError(
                    "--arm \(arm): a name and its sessions' folders are wanted, as in --arm unbound=run1,run2.")
            }
            if let index = named.firstIndex(where: { $0.name == parts[0] }) {
                named[index].folders += folders
            } else {
                named.append((String(parts[0]), folders))
            }
        }
        // Twice the same packets would make an interval narrower than it is.
        for arm in named where Set(arm.folders).count < arm.folders.count {
            throw ValidationError("--arm \(arm.name): a folder is given twice.")
        }
        return named
    }

    /// Each folder by its name; of two with one name, by what was typed, and where that is the same, by number.
    private func unnamed() throws -> [ComparisonRun.Arm] {
        let names = try folders.map { try SessionFiles([$0]).name }
        var arms: [ComparisonRun.Arm] = []
        for (name, folder) in zip(names, folders) {
            let base = names.count { $0 == name } == 1 ? name : folder
            var (unique, number) = (base, 2)
            while arms.contains(where: { $0.name == unique }) { (unique, number) = ("\(base)-\(number)", number + 1) }
            arms.append((unique, [folder]))
        }
        return arms
    }

    func run() throws {
        try Failure.reported {
            let budgets = try limits.budgets()
            let arms = try arms.isEmpty ? unnamed() : named()
            let run = ComparisonRun(
                arms: arms, clock: clock.selection, guest: guest, device: device, direction: direction?.direction,
                seed: seed)
            let comparison = try run.comparison()
            let checks = try comparison.check(budgets)
            try ComparisonRun.print(comparison, checks, format)
            try limits.write(checks)
            if checks.contains(where: \.isFailure) { throw ExitCode(3) }
        }
    }
}

extension ComparisonRun.Format: ExpressibleByArgument {}
