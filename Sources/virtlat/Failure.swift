// What is said when something is at fault: which file, which place, what to do. Exit status 1.

import Affinity
import ArgumentParser
import ClockSync
import Export
import Findings
import Glibc
import GuestClocks
import LinuxSystem
import PacketPath
import Recording
import Sessions
import TraceData

/// A fault in words.
struct Failure: Error {
    var text: String
    init(_ text: String) { self.text = text }

    static func warn(_ text: String) { Terminal.printError("virtlat: note: \(text)\n") }

    /// Runs `body`; a fault of the input or the system is printed and ends the command with status 1.
    static func reported<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as SystemError where error.call == "write" && error.errno == EPIPE {
            // Nobody reads any more: head has seen enough.
            StandardStreams.dieOfClosedPipe()
            throw ExitCode(1)
        } catch {
            try report(error)
        }
    }

    /// The same for work that waits.
    static func reported<Result>(_ body: () async throws -> Result) async throws -> Result {
        do {
            return try await body()
        } catch {
            try report(error)
        }
    }

    private static func report(_ error: any Error) throws -> Never {
        guard let text = describe(error) else { throw error }
        Terminal.printError("virtlat: \(text)\n")
        throw ExitCode(1)
    }

    private static func describe(_ error: any Error) -> String? {
        switch error {
        case let failure as Failure: failure.text
        case let error as TraceFileError: error.text
        case let fault as SessionFiles.Fault: fault.text
        case let fault as SessionFault: fault.text
        case let fault as ClockFault: fault.text
        case let fault as TailFault: fault.text
        case let fault as BudgetFault: fault.text
        case let fault as ExportFault: "\(fault.path): \(fault.error.call): \(fault.error.text)"
        case let fault as Manifest.Fault: SessionFiles.Fault.unusableManifest(fault).text
        case let fault as TracingFault: fault.text
        case let fault as RecordingFault: fault.text
        case let fault as CutOffSession.Fault: fault.text
        case let fault as BindingFault: fault.text
        case let fault as ExperimentFault: fault.text
        case let fault as Experiment.Fault: fault.text
        case let fault as GuestFault: fault.text
        case let fault as PreSharedKey.Fault: fault.text
        case let fault as Agent.Fault: fault.text
        case let error as SystemError: "\(error.call): \(error.text)"
        default: nil
        }
    }
}

extension SessionFiles.Fault {
    var text: String {
        switch self {
        case .nothingGiven: "no files given"
        case .unreadableFolder(let path, let error) where error.errno == EACCES:
            "\(path): \(error.text): what was recorded is for its owner only, since it holds addresses of the kernel; sudo chown -R \"$USER\" \(path) makes it yours"
        case .unreadableFolder(let path, let error): "\(path): \(error.text)"
        case .noRecordings(let folder): "\(folder): holds no .dat files"
        case .unusableManifest(let fault): fault.text
        case .missingRecording(let path, let machine, .recording):
            "\(path): is not there, though session.json names it as \(machine)'s recording. It is still being recorded, or its recorder was killed: "
                + "virtlat record --recover makes a session of what is there"
        case .missingRecording(let path, let machine, _):
            "\(path): is not there, though session.json names it as \(machine)'s recording. Copy the whole folder"
        case .hostNotRecorded(let manifest, let reason):
            "\(manifest): the host has no recording, and without it no packet can be followed"
                + (reason.map { " (\($0))" } ?? "") + "; record again"
        }
    }
}

extension Manifest.Fault {
    var text: String {
        // The recordings can be read without the manifest.
        let remedy = "or give the recordings themselves (virtlat analyze HOST.dat GUEST.dat ...)"
        return switch self {
        case .unreadable(let path, let error): "\(path): \(error.textOfInput)"
        case .malformed(let path, let reason):
            "\(path): is no session's manifest: \(reason). Copy the file again, \(remedy)"
        case .unsupportedSchema(let path, let found):
            "\(path): has schema \(found), and schema \(Manifest.schema) is read here. Use the virtlat that recorded it, \(remedy)"
        case .unwritable(let path, let error): "\(path): \(error.textOfOutput)"
        }
    }
}

extension SessionFault {
    var text: String {
        switch self {
        case .noFiles: "no files given"
        case .tooManyFiles(let count): "\(count) files: a session has 255 machines at the most"
        case .noHost(let files) where files.count == 1:
            "\(files[0]): is a guest's recording: its clock is shifted to a host's; give the host's recording too"
        case .noHost(let files):
            "none of \(files.joined(separator: ", ")) is a host's recording: none has events of KVM without a time shift"
        case .severalHosts(let files):
            "\(files.joined(separator: " and ")) are both hosts' recordings: a guest's carries a TIME_SHIFT option, and none of these does. "
                + "One host and its guests make a session"
        case .sameRecording(let first, let second):
            "\(first) and \(second) are the same recording (equal trace ids); give each once"
        case .otherRecording(let file, let found, let expected):
            "\(file): is not the file that session.json names so: its trace id is \(found.map { String($0) } ?? "absent"), where \(expected) was "
                + "expected. Put the session's own file in its place, or give the recordings themselves (virtlat analyze HOST.dat GUEST.dat ...)"
        case .unrelated(let guest, let host):
            "\(guest): was recorded together with another host's file than \(host) (their trace ids differ)"
        case .clock(let file, let clock, let flaw): "\(file): \(flaw.text(clock))"
        }
    }
}

extension RecordingFault {
    var text: String {
        switch self {
        case .folderInUse(let path):
            "\(path): is there already, and not empty; nothing is overwritten, so give another folder with -o"
        case .folder(let path, let reason): "\(path): can't be made: \(reason)"
        case .unsafePlace(let obstacle): "\(obstacle.statement); nothing was recorded. \(obstacle.remedy)"
        case .guests(let faults): "nothing was recorded. " + faults.map(\.text).joined(separator: "\n")
        case .clock(let clock, let machine, let available):
            "\(machine) has no trace clock \(clock); it has \(available.joined(separator: ", ")). Choose one that all machines have, with --trace-clock"
        case .noRate(let clock):
            "the host's trace clock \(clock) counts cycles, and its kernel does not tell how many make a ns (virtlat doctor says why); nothing was recorded. "
                + "Leave --trace-clock away, or take mono_raw"
        case .unknownVMs(let guests):
            "\(guests.joined(separator: ", ")): which VM of this host it is was not found, so its threads can't be bound; nothing was recorded. "
                + "Name the guest as virtlat vms does, or reach it over vsock"
        case .interrupted: "interrupted before it recorded; nothing is left behind"
        }
    }
}

extension PreSharedKey.Fault {
    var text: String {
        switch self {
        case .unreadable(let path, let error): "\(path): \(error.textOfInput)"
        case .malformed(let path):
            "\(path): is no key, which is 64 hexadecimal digits; make one with virtlat agent --new-key FILE"
        case .exposed(let path, let mode):
            "\(path): others may read it (mode \(String(mode, radix: 8))), so it is no secret: chmod 600, or make a new one"
        case .exists(let path): "\(path): is there already; a key is never overwritten"
        }
    }
}

extension Agent.Fault {
    var text: String {
        switch self {
        case .noKey: "without a key the agent does not listen on TCP: --key-file FILE"
        case .unreachable(let address, let reason): "can't listen on \(address): \(reason)"
        case .unusableSpool(_, let reason):
            "\(reason): the agent makes its files there, without a right to other users': give a folder that is root's own"
        }
    }
}

extension CutOffSession.Fault {
    var text: String {
        switch self {
        case .notCutOff(let folder): "\(folder): holds no session that was cut off, so there is nothing to recover"
        case .running(let folder): "\(folder): a recording is going on on this machine; wait for its end"
        case .otherKernel(let folder, let recorded, let running):
            "\(folder): was recorded on Linux \(recorded), and this is \(running): recover it there, since the formats of the events come from the kernel"
        case .unfinished(let folder, let reason):
            "\(folder): the session can't be finished: \(reason). What was recorded is kept there; remove the cause, then: virtlat record --recover \(folder)"
        }
    }
}
