/** `renderInventory`: the door to the inventory's formats. */
import { stringify } from 'yaml'
import type { Inventory } from '../model/inventory.ts'
import { inventoryJson } from './inventory-json.ts'
import { inventoryMarkdown } from './inventory-markdown.ts'
import { inventoryText } from './inventory-text.ts'

export const INVENTORY_FORMATS = ['text', 'wide', 'json', 'yaml', 'markdown'] as const
export type InventoryFormat = (typeof INVENTORY_FORMATS)[number]

/** The inventory in `format`, ending in a newline. `links` adds the map of interfaces to text; `width` is in columns. */
export function renderInventory(
  inventory: Inventory,
  format: InventoryFormat,
  options: { readonly colour: boolean; readonly links: boolean; readonly width?: number },
): string {
  switch (format) {
    case 'text':
      return inventoryText(inventory, { ...options, wide: false })
    case 'wide':
      return inventoryText(inventory, { ...options, wide: true })
    case 'json':
      return `${JSON.stringify(inventoryJson(inventory), null, 2)}\n`
    case 'yaml':
      return stringify(inventoryJson(inventory), { lineWidth: 0, aliasDuplicateObjects: false })
    case 'markdown':
      return inventoryMarkdown(inventory)
  }
}
