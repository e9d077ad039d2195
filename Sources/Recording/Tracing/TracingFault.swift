// Everything that can be wrong with ftrace on the machine we run on.

package import LinuxSystem

/// ftrace refused something, or is not there. Text for people is made in the command.
package enum TracingFault: Error, Sendable {
    /// There is no tracefs, and it can't be mounted.
    case noTraceFS(SystemError)
    /// The instance can't be made.
    case instance(name: String, SystemError)
    /// Another virtlat has been making or removing an instance for longer than that takes; `folder` is what it has
    /// locked.
    case busy(folder: String)
    /// A file of the instance refused a value; `reason` is the kernel's own (error_log), where it gave one.
    case setting(file: String, value: String, SystemError, reason: String?)
    /// A file of tracefs can't be read.
    case unreadable(file: String, SystemError)
    /// The kernel has no such trace clock.
    case absentClock(String, available: [String])
    /// None of the events that are wanted exists here.
    case noEvents
    /// The buffers would take more memory than is there.
    case tooLarge(requestedKiB: Int, availableKiB: Int)
    /// What is read from the buffers can't be kept.
    case spool(path: String, SystemError)
}
