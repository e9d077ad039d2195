// What a format of journeys has to say: how a file begins, and how each journey is written into it.

package import Findings
package import LinuxSystem
package import PacketPath

/// Journeys in, bytes out. What becomes of the bytes is `JourneyFile`'s.
package protocol JourneyExport {
    /// Forgets what it knew of another pass, and writes what comes before the first journey.
    mutating func begin(_ start: PassStart, _ output: inout OutputStream) throws(SystemError)

    mutating func write(_ journey: borrowing Journey, _ output: inout OutputStream) throws(SystemError)

    /// Writes what comes after the last journey.
    mutating func end(_ output: inout OutputStream) throws(SystemError)
}
