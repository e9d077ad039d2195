// --packets FILE: the packet table, complete or not there at all.

import LinuxSystem
import PacketPath
import Report

/// Takes rows while the analysis runs; write errors wait until it is over.
final class PacketFile {
    private let table: PacketTable
    private var file: OutputFile?
    private var output: OutputStream?
    private var failure: SystemError?
    private let path: String

    /// - Parameter path: nil for no table, "-" for standard output.
    init(_ path: String?, _ table: PacketTable) throws {
        self.table = table
        self.path = path ?? ""
        guard let path else { return }
        do throws(SystemError) {
            if path == "-" {
                output = .standardOutput()
                try output?.write(PacketTable.header)
            } else {
                file = try OutputFile(path: path)
                try file?.stream.write(PacketTable.header)
            }
        } catch {
            throw described(error)
        }
    }

    var isOpen: Bool { file != nil || output != nil }

    private func described(_ error: SystemError) -> any Error {
        path == "-" ? error : Failure("\(path): \(error.call): \(error.text)")
    }

    func take(_ journey: borrowing Journey) {
        guard failure == nil else { return }
        do throws(SystemError) {
            let row = table.row(journey)
            try output?.write(row)
            try file?.stream.write(row)
        } catch {
            failure = error
        }
    }

    /// Tells of rows that could not be written.
    func check() throws {
        if let failure { throw described(failure) }
    }

    /// The last row is written: the file gets its name.
    func commit() throws {
        do throws(SystemError) {
            try output?.flush()
            guard let file = file.take() else { return }
            try file.commit()
        } catch {
            throw described(error)
        }
    }
}
