// Version 7: another OPTIONS section behind the end of the file, and the 8 bytes that lead to it.

import Glibc
internal import LinuxSystem

extension TimeShiftExport {
    /// Bytes of a disk's sector: a write that is cut short, by a kill or a loss of power, ends between two of them.
    private static let blockSize = 512

    /// Appends the section, and only when it is on the disk lets the section that was the last one lead to it.
    static func append(_ options: [Option], to file: TraceFile, _ descriptor: Int32) throws(Fault) {
        let end = try chainEnd(of: file)
        let place = unsafe file.mapping.bytes.count
        var last = Option(id: TraceOptions.ID.done)
        last.data.append(number: UInt64(0))
        let body = encoded(options + [last])
        var section: [UInt8] = []
        SectionWriter.putHeader(TraceOptions.ID.done, description: end.description, size: body.count, &section)
        section += body
        var link: [UInt8] = []
        link.append(number: UInt64(place))

        guard end.link / blockSize == (end.link + 7) / blockSize else {
            // Half of these bytes could be on the disk and the other half not.
            var revision = Revision()
            revision.replace(end.link..<end.link + 8, by: link)
            revision.replace(place..<place, by: section)
            return try revision.replace(file, descriptor)
        }
        let output = DataOutput(descriptor: descriptor)
        do throws(SystemError) {
            do throws(SystemError) {
                try output.write(section, at: place)
                guard fsync(descriptor) == 0 else { throw SystemError(call: "fsync") }
            } catch {
                // Nothing leads there yet; should the end stay, nobody reads it.
                try? output.truncate(to: place)
                throw error
            }
            try output.write(link, at: end.link)
            guard fsync(descriptor) == 0 else { throw SystemError(call: "fsync") }
        } catch {
            throw .system(error)
        }
    }

    /// The last OPTIONS section: where it says that none follows, and what it calls itself (a place in the file's
    /// strings).
    private static func chainEnd(of file: TraceFile) throws(Fault) -> (link: Int, description: UInt32) {
        let bytes = unsafe file.mapping.bytes
        var sections = unsafe SectionTable(bytes: bytes, compression: file.compression)
        var header = unsafe ByteReader(bytes, from: TraceFile.magic.count, section: "header")
        _ = try header.string(limit: 16)
        _ = unsafe try header.take(2 + 4)  // byte order, long, page
        _ = try header.string(limit: 64)
        _ = try header.string(limit: 64)
        var end = (link: header.offset, description: UInt32(0))
        var next = try header.u64()
        var isCompressed = false
        while next != 0 {
            // The file was opened, so there is an end and every section lies in it.
            let place = Int(next)
            var section = try sections.section(at: place, id: TraceOptions.ID.done, name: "options").reader
            isCompressed = try sections.header(at: place, id: TraceOptions.ID.done, name: "options").isCompressed
            var description = unsafe ByteReader(bytes, from: place + 4, section: "options")
            end.description = try description.u32()
            while try section.u16() != TraceOptions.ID.done { _ = unsafe try section.take(Int(try section.u32())) }
            _ = try section.u32()
            end.link = place + TraceFileWriter.sectionHeaderSize + section.offset
            next = try section.u64()
        }
        guard !isCompressed else {
            throw .corrupt(
                section: "options", offset: end.link, fact: "compressed options, which nothing can be appended to")
        }
        return end
    }
}
