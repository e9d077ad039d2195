import LinuxSystem
import PacketPath
import Report
import Sessions
import TraceData
import Statistics

let files = try SessionFiles(Array(CommandLine.arguments.dropFirst()))
var opened: [(name: String, file: TraceFile)] = []
for r in files.recordings { opened.append((r.machine, try TraceFile(path: r.path))) }
let machines = try Machines(opened)
let analysis = try Analysis(machines, path: .tap)
let b = Breakdown(analysis)
let account = analysis.run(into: b)
for m in account.machines { print(m) }
print(account.unclaimed)
for f in b.sortedFlows {
  print(machines.all[f.machine].name, analysis.names.name(f.device), f.direction, f.seen, f.outcomes, f.deliveries, f.endToEnd.summary)
  for s in f.stages { print("  ", s.stage.name, s.samples.count, s.samples.minimum, Int(s.samples.mean), s.samples.maximum, f.share(s)) }
}
