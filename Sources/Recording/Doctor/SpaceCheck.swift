// Whether there is room: for ring buffers in memory, and for the session on disk.

import LinuxSystem

struct SpaceCheck {
    var machine: String

    /// Memory of `cpus` ring buffers.
    func memory(_ facts: TracingFacts) -> [Finding] {
        guard facts.cpus > 0, let available = facts.availableKiB else { return [] }
        let memory = "\(Self.size(available)) of memory are available"
        guard let buffer = facts.bufferKiB else {
            return [tooSmall("\(Finding.counted(facts.cpus, "CPU")), and only \(memory)")]
        }
        return [size(of: buffer, cpus: facts.cpus, memory)]
    }

    /// The same for a machine whose agent has told.
    func memory(availableKiB available: Int, cpus: Int) -> [Finding] {
        guard available > 0, cpus > 0 else { return [] }
        let memory = "\(Self.size(available)) of memory are available"
        guard let buffer = try? MachineTrace.bufferSize(nil, cpus: cpus, availableKiB: available) else {
            return [tooSmall("\(Finding.counted(cpus, "CPU")), and only \(memory)")]
        }
        return [size(of: buffer, cpus: cpus, memory)]
    }

    private func tooSmall(_ statement: String) -> Finding {
        Finding(
            "memory", .error, machine, statement, meaning: "ring buffers don't fit, so recording is refused",
            remedy: "free some memory")
    }

    private func size(of buffer: Int, cpus: Int, _ memory: String) -> Finding {
        let statement = "ring buffers of \(Self.size(buffer)) on each of \(Finding.counted(cpus, "CPU")); \(memory)"
        guard buffer < MachineTrace.defaultBufferKiB else { return Finding("memory", .ok, machine, statement) }
        return Finding(
            "memory", .note, machine, statement + ", of which a quarter is taken at the most",
            meaning:
                "smaller than the usual \(Self.size(MachineTrace.defaultBufferKiB)): bursts may overrun them, and the events are lost",
            remedy: "free some memory")
    }

    /// - Parameter folder: of the session, which is made.
    func disk(_ folder: String, _ facts: TracingFacts) -> [Finding] {
        if Folder.exists(folder), !Folder.optionalNames(in: folder).isEmpty {
            return [
                Finding(
                    "output", .error, machine, "\(folder) is there already, and not empty",
                    meaning: "nothing is overwritten, so recording is refused",
                    remedy: "give another folder with -o")
            ]
        }
        if let obstacle = SessionPlace.obstacle(to: folder) { return [refused(obstacle)] }
        let place = Folder.exists(folder) ? folder : Folder.parent(of: folder)
        let free: Int
        do throws(SystemError) {
            guard Folder.isWritable(place) else { throw SystemError(call: "access") }
            free = try Folder.freeKiB(in: place)
        } catch {
            return [
                Finding(
                    "output", .error, machine, "\(place): \(error.text)", meaning: "the session's folder can't be made",
                    remedy: "give another folder with -o")
            ]
        }
        let statement = "\(Self.size(free)) are free in \(place)"
        // The buffers are written out at the end, beside the reserve that finishing takes.
        let needed = HostFile.reserveBytes >> 10 + (facts.bufferKiB ?? 0) * facts.cpus
        guard free > 4 * needed else {
            return [
                Finding(
                    "output", free > needed ? .note : .warning, machine, statement,
                    meaning:
                        "full ring buffers take \(Self.size(needed)), and what is recorded comes on top; on a full disk the recording ends early",
                    remedy: "give a folder with more room with -o, or record for a shorter time")
            ]
        }
        return [Finding("output", .ok, machine, statement)]
    }

    private func refused(_ obstacle: SessionPlace.Obstacle) -> Finding {
        Finding("output", .error, machine, obstacle.statement, meaning: "recording is refused", remedy: obstacle.remedy)
    }

    /// 4 MiB, 1.5 GiB.
    static func size(_ kibibytes: Int) -> String {
        var (number, unit) = (kibibytes * 10, "KiB")
        for next in ["MiB", "GiB", "TiB"] where number >= 10_240 { (number, unit) = (number / 1024, next) }
        return number >= 1000 || number % 10 == 0 ? "\(number / 10) \(unit)" : "\(number / 10).\(number % 10) \(unit)"
    }
}
