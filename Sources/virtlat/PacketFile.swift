// --packets FILE: the packet table, complete or not there at all.

import LinuxSystem
import PacketPath
import Report

/// Takes rows while the analysis runs; write errors wait until it is over.
final class PacketFile {
    private let table: PacketTable
    private var file: OutputFile?
    private var failure: SystemError?
    private let path: String

    /// - Parameter path: nil for no table, "-" for standard output.
    init(_ path: String?, _ table: PacketTable) throws {
        self.table = table
        self.path = path == "-" ? "/dev/stdout" : path ?? ""
        guard path != nil else { return }
        do throws(SystemError) {
            file = try OutputFile(path: self.path)
            try file?.stream.write(PacketTable.header)
        } catch {
            throw Failure("\(self.path): \(error.call): \(error.text)")
        }
    }

    var isOpen: Bool { file != nil }

    func take(_ journey: borrowing Journey) {
        guard failure == nil else { return }
        do throws(SystemError) {
            try file?.stream.write(table.row(journey))
        } catch {
            failure = error
        }
    }

    func check() throws {
        if let failure { throw Failure("\(path): \(failure.call): \(failure.text)") }
    }

    func commit() throws {
        guard let file = file.take() else { return }
        do throws(SystemError) {
            try file.commit()
        } catch {
            throw Failure("\(path): \(error.call): \(error.text)")
        }
    }
}
