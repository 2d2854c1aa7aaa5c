"""What is run in a page: finds what can be clicked and typed into, and says it in words. Changes nothing there."""

FIND = """
() => {
  const wanted = 'a[href], button, input:not([type=hidden]), select, textarea, summary, [role=button], [role=link], '
    + '[role=checkbox], [role=radio], [role=tab], [role=menuitem], [role=option], [role=switch], [contenteditable=""], '
    + '[contenteditable=true], [onclick]';
  const isSeen = (e) => {
    const style = getComputedStyle(e), box = e.getBoundingClientRect();
    return box.width > 0 && box.height > 0 && style.visibility !== 'hidden' && style.display !== 'none';
  };
  return Array.from(document.querySelectorAll(wanted)).filter(isSeen);
}
"""

DESCRIBE = """
(elements) => elements.map((e) => {
  const clean = (text) => (text || '').replace(/\\s+/g, ' ').trim().slice(0, 80);
  const tag = e.tagName.toLowerCase(), type = (e.getAttribute('type') || '').toLowerCase();
  const label = e.labels && e.labels.length ? e.labels[0].innerText : '';
  const name = clean(e.getAttribute('aria-label') || label || e.innerText || e.getAttribute('placeholder')
    || e.getAttribute('title') || e.getAttribute('alt') || e.getAttribute('name'));
  const parts = [tag + (type ? ' ' + type : ''), name && JSON.stringify(name)];
  if (tag === 'a') parts.push('to ' + clean(e.href));
  if (tag === 'select') parts.push('one of ' + clean(Array.from(e.options).map((o) => o.text).join(', ')));
  if ((tag === 'input' || tag === 'textarea') && e.value && !['password', 'submit', 'button'].includes(type)) {
    parts.push('has ' + JSON.stringify(clean(e.value)));
  }
  if (e.checked) parts.push('(checked)');
  if (e.disabled) parts.push('(disabled)');
  return parts.filter(Boolean).join(' ');
})
"""

POSITION = """
() => {
  const view = window.innerHeight || 1, whole = document.documentElement.scrollHeight;
  const above = window.scrollY, below = Math.max(0, whole - above - view);
  return [above / view, below / view];
}
"""
