// A file of journeys: complete or not there at all.

package import Findings
package import LinuxSystem
package import PacketPath

/// Journeys that could not be written to a file.
package struct ExportFault: Error {
    package var path: String
    package var error: SystemError
}

/// Writes journeys as they come, in any format; what fails on the way is told at the end.
package final class JourneyFile: JourneyReader {
    private var format: any JourneyExport
    /// Nil for standard output.
    private let path: String?
    private var file: OutputFile?
    private var output: OutputStream?
    private var failure: SystemError?
    /// What went to standard output or into a pipe is somebody's already; a file without a name is nobody's yet.
    package let canForget: Bool

    /// - Parameter path: "-" for standard output.
    package init(_ path: String, _ format: some JourneyExport) {
        self.path = path == "-" ? nil : path
        canForget = path != "-" && PathStatus(of: path, follows: true)?.isRegular ?? true
        self.format = format
    }

    package func begin(_ start: PassStart) throws {
        failure = nil
        // One that has begun goes away before the next one has its name.
        file = nil
        do throws(SystemError) {
            if let path {
                var file = try OutputFile(path: path)
                try format.begin(start, &file.stream)
                self.file = consume file
            } else {
                var output = OutputStream.standardOutput()
                try format.begin(start, &output)
                self.output = consume output
            }
        } catch {
            throw fault(error)
        }
    }

    package func take(_ journey: borrowing Journey) {
        guard failure == nil else { return }
        do throws(SystemError) {
            if output != nil { try format.write(journey, &output!) } else { try format.write(journey, &file!.stream) }
        } catch {
            failure = error
        }
    }

    /// The last journey is written: the file gets its name.
    package func end(_ account: AnalysisAccount) throws {
        do throws(SystemError) {
            if let failure { throw failure }
            if output != nil {
                try format.end(&output!)
                try output?.flush()
            }
            guard var file = file.take() else { return }
            try format.end(&file.stream)
            try file.commit()
        } catch {
            throw fault(error)
        }
    }

    /// A fault of standard output is told as it is: that nobody reads it any more is no fault of a file.
    private func fault(_ error: SystemError) -> any Error {
        guard let path else { return error }
        return ExportFault(path: path, error: error)
    }
}
