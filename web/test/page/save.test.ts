import { afterEach, describe, expect, it, vi } from "vitest";
import { saveFile } from "../../src/parts/save.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe("saveFile", () => {
  it("leaves the browser time to read the file", async () => {
    vi.useFakeTimers();
    const link = { href: "", download: "", click: vi.fn() };
    vi.stubGlobal("document", { createElement: () => link });
    const made = vi.spyOn(URL, "createObjectURL");
    const revoked = vi.spyOn(URL, "revokeObjectURL");
    saveFile("a.json", "application/json", "{}");
    expect(link.click).toHaveBeenCalledOnce();
    expect(link.download).toBe("a.json");
    const [blob] = made.mock.calls[0] ?? [];
    expect(await (blob as Blob).text()).toBe("{}");
    vi.advanceTimersByTime(5_000);
    expect(revoked).not.toHaveBeenCalled();
    vi.advanceTimersByTime(60_000);
    expect(revoked).toHaveBeenCalledExactlyOnceWith(link.href);
  });
});
