// A browser starts no worker from a file. Where a page was opened as a file, this runs the script of
// the search in a hidden frame in its place, so that the search works without a server.
if (location.protocol === "file:") {
  window.Worker = class {
    constructor(url) {
      this.onmessage = this.onerror = this.onmessageerror = null;
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const inner = this.frame.contentWindow;
      inner.postMessage = data => setTimeout(() => this.onmessage?.({ data }));
      this.started = new Promise((resolve, reject) => {
        const script = inner.document.createElement("script");
        script.src = new URL(url, location);
        script.onload = () => resolve(inner);
        script.onerror = reject;
        inner.document.body.append(script);
      });
      this.started.catch(event => this.onerror?.(event));
    }
    postMessage(data) {
      this.started.then(inner => inner.onmessage?.({ data }), () => {});
    }
    terminate() {
      this.frame.remove();
    }
  };
}
