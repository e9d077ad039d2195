// Which files a session is made of, where its folder has a manifest.

extension SessionFiles {
    /// The manifest of `folder`, found to be one of a session; nil when the folder has none.
    static func manifest(of folder: String) throws(Fault) -> Manifest? {
        do throws(Manifest.Fault) {
            guard let manifest = try Manifest.read(folder: folder) else { return nil }
            if let contradiction = manifest.contradiction {
                throw .malformed(path: Manifest.path(in: folder), reason: contradiction)
            }
            return manifest
        } catch {
            throw .unusableManifest(error)
        }
    }

    /// Takes the recordings that `manifest` names.
    /// - Parameter names: of everything in the folder.
    mutating func take(_ manifest: Manifest, folder: String, _ names: [String]) throws(Fault) {
        let host = manifest.machines.first { $0.role == .host }
        guard host?.file != nil else {
            throw .hostNotRecorded(
                manifest: Manifest.path(in: folder),
                reason: host.flatMap { manifest.fault(of: $0) } ?? manifest.faults.first)
        }
        for machine in manifest.machines {
            guard let file = machine.file else { continue }
            // Compared with the folder's names, so that no manifest leads out of its folder.
            guard names.contains(file) else {
                throw .missingRecording(path: folder + "/" + file, machine: machine.name, manifest.outcome)
            }
            recordings.append(Recording(path: folder + "/" + file, machine: machine.name, recorded: machine))
        }
        strangers = names.filter { name in name.hasSuffix(".dat") && !manifest.machines.contains { $0.file == name } }
        self.manifest = manifest
    }
}

extension Manifest {
    /// What no session can be, though the form allows it.
    fileprivate var contradiction: String? {
        let hosts = machines.count { $0.role == .host }
        if hosts > 1 { return "machines has \(hosts) hosts, where one was expected" }
        if let window = measured, let end = window.end, end < window.begin {
            return "measured.end_ns lies before measured.begin_ns"
        }
        return nil
    }

    /// The first fault that names `machine`.
    package func fault(of machine: RecordedMachine) -> String? {
        faults.first { fault in
            // "g1" is not meant where "g10" is written.
            fault.ranges(of: machine.name).contains { range in
                let neighbours = [fault[..<range.lowerBound].last, fault[range.upperBound...].first]
                return !neighbours.contains { $0.map { $0.isLetter || $0.isNumber || $0 == "-" } ?? false }
            }
        }
    }
}

extension Manifest.Window {
    /// Whether the measurement ran at `time`, in ns of the host's trace clock.
    package func contains(_ time: Int64) -> Bool { time >= begin && end.map { time < $0 } ?? true }
}
