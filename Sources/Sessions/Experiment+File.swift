// experiment.json on disk.

import FoundationEssentials
package import LinuxSystem

extension Experiment {
    package enum Fault: Error, Equatable, Sendable {
        case unreadable(path: String, SystemError)
        /// It is not of this form, or another version's.
        case malformed(path: String)
        case unwritable(path: String, SystemError)
    }

    private static let mostBytes = 16 << 20

    /// The experiment that was begun in `folder`; nil when there is none.
    package static func read(folder: String) throws(Fault) -> Experiment? {
        let path = folder + "/" + fileName
        let bytes: [UInt8]
        do throws(SystemError) {
            bytes = try TextFile.bytes(of: path, limit: mostBytes)
        } catch {
            if error.errno == 2 { return nil }  // ENOENT
            throw .unreadable(path: path, error)
        }
        guard let experiment = try? JSONDecoder().decode(Experiment.self, from: Data(bytes)),
            experiment.schema == schema,
            Design.possibleRounds.contains(experiment.design.rounds),
            experiment.design.arms.count <= experiment.runs.count,
            // Names become paths, and every round has to have every arm.
            experiment.runs.map({ "\($0.arm) \($0.round)" })
                == Experiment(experiment.design, recorder: "", started: "").runs.map({
                    "\($0.arm) \($0.round)"
                }),
            experiment.design.arms.allSatisfy({ Arm.isName($0.name) })
        else { throw .malformed(path: path) }
        return experiment
    }

    /// Puts it into `folder`, in place of an older one.
    package func write(folder: String) throws(Fault) {
        let path = folder + "/" + Self.fileName
        do throws(SystemError) {
            var file = try OutputFile(path: path, mode: 0o600, other: .refused)
            try file.stream.write(bytes: Manifest.encoded(self))
            try file.settle(mode: 0o600)
            try file.commit()
        } catch {
            throw .unwritable(path: path, error)
        }
    }
}

extension Experiment.Arm {
    /// Letters, digits, '-', '_' and '.': it becomes part of a folder's name, and of `virtlat compare --arm NAME=…`.
    package static func isName(_ text: String) -> Bool {
        !text.isEmpty && !text.hasPrefix(".") && text.utf8.count <= 100
            && text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) }
    }

    /// A name made of a binding's words: "cpus=2,3" becomes "cpus-2-3".
    package static func name(_ words: String) -> String {
        String(words.map { $0.isASCII && ($0.isLetter || $0.isNumber || "-_.".contains($0)) ? $0 : "-" })
    }
}
